//! What the groups that compare whole programs share: the programs, and text for them to work on.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

pub(crate) fn is_installed(program: &str) -> bool {
    let version = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

/// The sources of the packages that Cargo has unpacked.
pub(crate) fn sources() -> PathBuf {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    home.unwrap_or_default().join("registry/src")
}

/// The texts among them, always in the same order.
pub(crate) fn source_texts() -> impl Iterator<Item = PathBuf> {
    let (mut folders, mut texts) = (vec![sources()], Vec::new());
    std::iter::from_fn(move || {
        while texts.is_empty() {
            let Ok(listing) = fs::read_dir(folders.pop()?) else { continue };
            let mut paths: Vec<_> = listing.filter_map(|entry| Some(entry.ok()?.path())).collect();
            paths.sort();
            for path in paths {
                if path.is_dir() {
                    folders.push(path);
                } else if is_text(&path) {
                    texts.push(path);
                }
            }
            texts.reverse();
        }
        texts.pop()
    })
}

fn is_text(path: &Path) -> bool {
    ["rs", "md", "toml", "c", "h"].iter().any(|it| path.extension() == Some(OsStr::new(it)))
}

/// An example, built as this bench is.
pub(crate) fn build(example: &str) -> PathBuf {
    let bench = env::current_exe().expect("this program knows its own path");
    let folder = bench.parent().and_then(Path::parent).expect("TARGET/PROFILE/deps/BENCH");
    let target = folder.parent().expect("TARGET/PROFILE");
    let profile = folder.file_name().and_then(OsStr::to_str).filter(|name| *name != "debug").unwrap_or("dev");
    let mut build = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--quiet", "--example", example]);
    build.args(["--profile", profile, "--target-dir"]).arg(target);
    assert!(build.status().expect("cargo runs").success(), "{build:?} failed");
    folder.join("examples").join(example)
}
