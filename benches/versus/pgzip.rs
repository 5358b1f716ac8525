//! The example `pgzip` beside `pigz`, as processes on the same file: source text, as Cargo has it on every developer's machine.

use super::{
    goals::Goal,
    harness::{Bench, Group},
    programs,
};
use flate2::{Crc, read::MultiGzDecoder};
use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tempfile::TempDir;

const KIBIBYTES: u32 = 180 * 1024;

pub(crate) fn run(bench: &mut Bench) {
    let levels = [1, 6, 9].map(|level| (level, format!("pgzip -{level} and pigz")));
    let wanted: Vec<_> = levels.into_iter().filter(|(_, title)| bench.wants(title)).collect();
    if wanted.is_empty() {
        return;
    }
    if !programs::is_installed("pigz") {
        println!("\nskipped: pigz is not installed");
        return;
    }
    let folder = TempDir::with_prefix("versus").expect("a temporary directory");
    let (whole, size) = gather(folder.path(), bench.items(KIBIBYTES));
    if size == 0 {
        println!("\nskipped: no source text below {}", programs::sources().display());
        return;
    }
    let program = programs::build("pgzip");
    for (level, title) in wanted {
        let level = format!("-{level}");
        let mut group = Group::new(title, size, "KiB");
        group.ideal(2);
        group.yardstick("of pigz -p 2");
        for (name, program, threads) in [
            ("pgzip", program.as_path(), 1),
            ("pgzip", &program, 2),
            ("pigz", Path::new("pigz"), 1),
            ("pigz", Path::new("pigz"), 2),
        ] {
            let threads = threads.to_string();
            let arguments = ["-p", &threads, &level, "-c"].map(str::to_owned);
            let compressed = match check(program, &arguments, &whole) {
                Ok(compressed) => compressed,
                Err(fault) => return bench.fault(fault),
            };
            let program = program.to_owned();
            let whole = whole.clone();
            let case = group.case(format!("{name} -p {threads}, to {compressed} bytes"), 1, move || {
                compress(&program, &arguments, &whole)
            });
            let case_name = case.name.clone();
            match (name, &*threads) {
                ("pigz", "2") => case.as_yardstick(),
                ("pgzip", "2") => {
                    group.goal(&case_name, Goal::OfFastest(1.0));
                    // An efficiency of 95 %.
                    group.goal(&case_name, Goal::OverIdeal(5.3));
                }
                _ => {}
            }
        }
        bench.run(group);
    }
}

/// Puts so many KiB of source text into one file, or as many as there are.
fn gather(folder: &Path, kibibytes: u32) -> (PathBuf, u32) {
    let path = folder.join("whole");
    let mut file = File::create(&path).expect("a new file");
    let mut left = u64::from(kibibytes) * 1024;
    for path in programs::source_texts() {
        if left == 0 {
            break;
        }
        let mut source = File::open(&path).expect("it is readable").take(left);
        left -= io::copy(&mut source, &mut file).expect("it can be copied");
    }
    (path, kibibytes - u32::try_from(left.div_ceil(1024)).expect("no more than wanted"))
}

/// How many bytes a file is compressed to, if they give the same file again.
fn check(program: &Path, arguments: &[String], file: &Path) -> Result<u64, String> {
    let mut child = Command::new(program)
        .args(arguments)
        .arg(file)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let mut compressed = Vec::new();
    child.stdout.take().expect("it is piped").read_to_end(&mut compressed).expect("it can be read");
    let succeeded = child.wait().is_ok_and(|status| status.success());
    let mut sum = Sum(Crc::new());
    let decompressed = io::copy(&mut MultiGzDecoder::new(&*compressed), &mut sum);
    let mut expected = Sum(Crc::new());
    io::copy(&mut File::open(file).expect("it was written"), &mut expected).expect("it is readable");
    if succeeded && decompressed.is_ok() && sum.0.sum() == expected.0.sum() {
        Ok(compressed.len() as u64)
    } else {
        Err(format!("{} {arguments:?} does not give the file again", program.display()))
    }
}

struct Sum(Crc);

impl Write for Sum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// 1 if all went well.
fn compress(program: &Path, arguments: &[String], file: &Path) -> u64 {
    let ended = Command::new(program).args(arguments).arg(file).stdout(Stdio::null()).status();
    u64::from(ended.is_ok_and(|status| status.success()))
}
