//! The three steps from a file to a thumbnail's bytes.

use std::fs;
use std::io::{self, BufReader, Cursor};

use gristmill::CancellationToken;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};

use crate::folders::Found;
use crate::input::Input;
use crate::walk::Failure;

/// What one image may take in memory: a small file can claim to hold a picture of any size, and a JPEG file is read whole.
const MOST_BYTES: u64 = 512 * 1024 * 1024;

/// An image that has been read.
#[derive(Debug)]
pub(crate) struct Picture {
    found: Found,
    image: DynamicImage,
    /// How the camera was held.
    orientation: Orientation,
}

/// The bytes of a thumbnail.
#[derive(Debug)]
pub(crate) struct Thumbnail {
    pub(crate) found: Found,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn decode(found: Found, token: &CancellationToken) -> Result<Picture, Failure> {
    let read = || {
        let size = fs::metadata(&found.path)?.len();
        if size > MOST_BYTES {
            return Err(io::Error::other(format!("is a file of {size} bytes, more than {MOST_BYTES}")));
        }
        let reader = ImageReader::new(BufReader::new(Input::open(&found.path, token)?));
        // By what is in it: the name may say something else.
        let mut decoder = reader.with_guessed_format()?.into_decoder().map_err(words)?;
        let bytes = decoder.total_bytes();
        if bytes > MOST_BYTES {
            return Err(io::Error::other(format!("takes {bytes} bytes of memory, more than {MOST_BYTES}")));
        }
        let orientation = decoder.orientation().map_err(words)?;
        Ok((DynamicImage::from_decoder(decoder).map_err(words)?, orientation))
    };
    match read() {
        Ok((image, orientation)) => Ok(Picture { found, image, orientation }),
        Err(error) => Err(Failure { path: found.path, error }),
    }
}

impl Picture {
    /// Makes it fit into a square of that size, and turns it upright.
    pub(crate) fn resize(mut self, size: u32) -> Self {
        if self.image.width() > size || self.image.height() > size {
            self.image = self.image.thumbnail(size, size);
        }
        self.image.apply_orientation(self.orientation);
        self
    }

    pub(crate) fn encode(self) -> Result<Thumbnail, Failure> {
        let Self { found, image, .. } = self;
        // JPEG has neither transparency nor more than eight bits for a colour.
        let image =
            if found.format == ImageFormat::Jpeg { DynamicImage::from(image.into_rgb8()) } else { image };
        let mut bytes = Vec::new();
        match image.write_to(&mut Cursor::new(&mut bytes), found.format).map_err(words) {
            Ok(()) => Ok(Thumbnail { found, bytes }),
            Err(error) => Err(Failure { path: found.path, error }),
        }
    }
}

fn words(error: ImageError) -> io::Error {
    match error {
        ImageError::IoError(error) => error,
        ImageError::Unsupported(_) => io::Error::other("is not a PNG or JPEG image"),
        other => io::Error::other(other.to_string()),
    }
}
