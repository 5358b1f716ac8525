//! What tests of examples share: the built example, trees to run it on, and the tools to hold it against.
#![allow(dead_code)] // each test file uses a part

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::OnceLock;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// The one example of this test, as the test's own profile builds it; Cargo does not build examples for one `--test` alone.
pub(crate) fn program(example: &str) -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory");
        let test = std::env::current_exe().expect("the path of this test");
        let profile_folder = test.parent().and_then(Path::parent).expect("TARGET/[TRIPLE/]PROFILE/deps/TEST");
        let profile = match profile_folder.file_name().and_then(OsStr::to_str) {
            Some("debug") | None => "dev",
            Some(name) => name,
        };
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // What Cargo tells this test about its package would look like a change to build scripts.
        for (variable, _) in std::env::vars_os() {
            if ["CARGO_PKG_", "CARGO_MANIFEST_"]
                .iter()
                .any(|of| variable.as_bytes().starts_with(of.as_bytes()))
            {
                build.env_remove(variable);
            }
        }
        build.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--quiet", "--example", example]);
        build.args(["--profile", profile, "--target-dir"]).arg(target);
        if cfg!(feature = "journal") {
            // One example needs the feature, and another does more with it; whoever tests with it tests with all of them.
            build.arg("--all-features");
        }
        if let Some(triple) = profile_folder.parent().filter(|&folder| folder != target) {
            build.arg("--target").arg(triple.file_name().expect("the name of the target"));
        }
        assert!(build.status().expect("cargo runs").success(), "{build:?} failed");
        profile_folder.join("examples").join(example)
    })
}

/// In a locale where programs print UTF-8 names as they are, and with nothing on standard input.
pub(crate) fn command<I: IntoIterator<Item: AsRef<OsStr>>>(example: &str, arguments: I) -> Command {
    let mut command = Command::new(program(example));
    command.args(arguments).env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command
}

/// A GNU tool, or nothing, and a line saying so, where it is missing.
pub(crate) fn tool(name: &str) -> Option<Command> {
    let found = Command::new(name)
        .arg("--version")
        .output()
        .is_ok_and(|output| output.stdout.windows(3).any(|word| word == b"GNU"));
    if !found {
        println!("skipped: GNU {name} is not installed");
        return None;
    }
    let mut command = Command::new(name);
    command.env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    Some(command)
}

/// Stdout, stderr and status.
pub(crate) fn outcome(mut command: Command) -> (String, String, Option<i32>) {
    readable(&command.output().expect("the command starts"))
}

pub(crate) fn readable(output: &Output) -> (String, String, Option<i32>) {
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

/// Bytes as text; where they are not UTF-8, with a character for each byte.
pub(crate) fn text(bytes: &[u8]) -> String {
    let bytewise = || bytes.iter().copied().map(char::from).collect();
    std::str::from_utf8(bytes).map_or_else(|_| bytewise(), str::to_owned)
}

/// A directory that lives as long as the test.
pub(crate) struct Tree {
    root: TempDir,
}

impl Tree {
    pub(crate) fn new() -> Self {
        let root = TempDir::with_prefix("gristmill").expect("a temporary directory");
        // Other users too: one test runs the program as one.
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).expect("own directory");
        Self { root }
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn path(&self, name: impl AsRef<[u8]>) -> PathBuf {
        self.root().join(OsStr::from_bytes(name.as_ref()))
    }

    pub(crate) fn directory(&self, name: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).expect("a new directory");
        path
    }

    pub(crate) fn file(&self, name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("it lies below the root")).expect("its directory");
        fs::write(&path, content).expect("a new file");
        path
    }

    /// A terabyte of zeroes that takes no room: hours of hashing.
    pub(crate) fn endless_file(&self, name: impl AsRef<[u8]>) -> PathBuf {
        let path = self.file(name, "");
        File::create(&path).and_then(|file| file.set_len(1 << 40)).expect("a sparse file");
        path
    }

    pub(crate) fn pipe(&self, name: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::from_raw_mode(0o600))
            .expect("a named pipe");
        path
    }
}

/// A run whose output is read while it goes on; killed when the test fails.
pub(crate) struct Running {
    child: Child,
    pub(crate) stdout: Option<ChildStdout>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let stdout = child.stdout.take();
        Self { child, stdout }
    }

    /// Byte by byte, so that nothing behind the line is taken out of the pipe.
    pub(crate) fn read_line(&mut self) -> String {
        let mut line = Vec::new();
        let stdout = self.stdout.as_mut().expect("stdout is open");
        while line.last() != Some(&b'\n') {
            let mut byte = [0];
            stdout.read_exact(&mut byte).expect("another line");
            line.push(byte[0]);
        }
        text(&line)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal)
            .expect("the child is there until it is waited for");
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("the child can be waited for").is_some()
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// The rest of stdout, stderr, and the status.
    pub(crate) fn finish(mut self) -> (String, String, Option<i32>) {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        if let Some(mut pipe) = self.stdout.take() {
            pipe.read_to_end(&mut stdout).expect("stdout ends");
        }
        self.child.stderr.take().expect("stderr is piped").read_to_end(&mut stderr).expect("stderr ends");
        let status = self.child.wait().expect("the child ends");
        (text(&stdout), text(&stderr), status.code())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended in every test that passes.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
