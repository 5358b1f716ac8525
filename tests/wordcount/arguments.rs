//! The command line.

use crate::example::outcome;
use crate::support::wordcount;

#[test]
fn wrong_arguments_are_said_with_status_2() {
    for (arguments, said) in [
        (&["--workers", "0"][..], "must be a whole number from 1 to 1024"),
        (&["--workers", "-3"], "must be a whole number from 1 to 1024"),
        (&["--top", "some"], "invalid value 'some'"),
        (&["--log", "colour"], "[possible values: level, path, status]"),
        (&["--report"], "--log"),
        (&["--nonsense"], "--nonsense"),
    ] {
        let (stdout, stderr, status) = outcome(wordcount(arguments));
        assert_eq!((stdout.as_str(), status), ("", Some(2)), "{arguments:?}");
        assert!(stderr.contains(said), "{arguments:?}: {stderr}");
    }
}

#[test]
fn help_tells_fields_and_exit_status() {
    let (stdout, stderr, status) = outcome(wordcount(["--help"]));
    assert_eq!((stderr.as_str(), status), ("", Some(0)));
    for word in ["--log <FIELD>", "- path:", "--top <N>", "Exit status:"] {
        assert!(stdout.contains(word), "{word}: {stdout}");
    }
}
