//! The command line.

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::example::outcome;
use crate::support::{pgzip, with_input};

#[test]
fn wrong_arguments_are_said_in_one_go_with_status_2() {
    for (arguments, said) in [
        (&["-p", "0"][..], "must be a whole number from 1 to 1024"),
        (&["-p", "-1"], "must be a whole number from 1 to 1024"),
        (&["-p", "two"], "must be a whole number from 1 to 1024"),
        (&["--nonsense"], "--nonsense"),
        (&["-t", "-c"], "cannot be used with"),
    ] {
        let (stdout, stderr, status) = outcome(pgzip(arguments));
        assert_eq!((stdout.as_str(), status), ("", Some(2)), "{arguments:?}");
        assert!(stderr.contains(said), "{arguments:?}: {stderr}");
    }
}

#[test]
fn help_tells_flags_and_exit_status() {
    let (stdout, stderr, status) = outcome(pgzip(["--help"]));
    assert_eq!((stderr.as_str(), status), ("", Some(0)));
    for word in ["--decompress", "--stdout", "--keep", "--processes", "-9, --best", "Exit status:"] {
        assert!(stdout.contains(word), "{word}: {stdout}");
    }
}

#[test]
fn report_names_the_stages_and_the_bottleneck() {
    let (_, stderr, status) = with_input(pgzip(["--report"]), b"grist");
    assert_eq!(status, Some(0));
    for stage in ["source", "deflate", "write"] {
        assert!(stderr.lines().any(|line| line.starts_with(stage)), "{stage}: {stderr}");
    }
}

#[test]
fn compressed_data_is_not_written_to_a_terminal_without_force() {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&terminal).and_then(|()| unlockpt(&terminal)).expect("own terminal");
    let name = ptsname(&terminal, Vec::new()).expect("it has a name");
    let other_end = || {
        let name = name.to_str().expect("a path");
        std::fs::File::options().read(true).write(true).open(name).expect("own terminal")
    };
    let output = pgzip([""; 0]).stdout(other_end()).output().expect("it runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("not written to a terminal: use -f"), "{stderr}");
    assert_eq!(output.status.code(), Some(1));
    let output = pgzip(["-f"]).stdout(other_end()).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0));
}
