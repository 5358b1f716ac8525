//! Where images come from, and where thumbnails go.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use gristmill::CancellationToken;
use image::ImageFormat;

use crate::walk::{Failure, Walk};

/// An image that is to be made small.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    /// By its name: how its thumbnail is written.
    pub(crate) format: ImageFormat,
}

/// The images below `source`, without what lies below `output`: thumbnails of earlier runs.
pub(crate) fn images<'roots>(
    source: &'roots [OsString],
    output: &'roots Path,
    token: &CancellationToken,
) -> impl Iterator<Item = Result<Found, Failure>> + Send + 'roots {
    Walk::new(source, token.clone()).filter_map(move |found| {
        let path = match found {
            Ok(path) => path,
            Err(failure) => return Some(Err(failure)),
        };
        let format = ImageFormat::from_path(&path).ok()?;
        let is_wanted = matches!(format, ImageFormat::Png | ImageFormat::Jpeg) && !path.starts_with(output);
        is_wanted.then_some(Ok(Found { path, format }))
    })
}

/// Writes a file whose name appears when it is complete, and replaces what has the name.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new()
        .prefix(".thumbnail-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path).map(drop).map_err(|refused| refused.error)
}
