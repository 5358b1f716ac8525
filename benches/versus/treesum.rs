//! The example `treesum` beside `find` and `sha256sum`, as processes on the same tree; and beside two halves of it.

use super::{
    goals::Goal,
    harness::{Bench, Group},
    programs,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tempfile::TempDir;

const KIBIBYTES: u32 = 120 * 1024;
/// What a tool's users write today.
const BY_HAND: &str = "find \"$1\" -type f -print0 | xargs -0 -P2 -n 64 sha256sum";

pub(crate) fn run(bench: &mut Bench) {
    let title = "treesum and sha256sum on a tree of sources";
    if !bench.wants(title) {
        return;
    }
    if let Some(missing) =
        ["find", "xargs", "sha256sum"].into_iter().find(|tool| !programs::is_installed(tool))
    {
        println!("\nskipped: {missing} is not installed");
        return;
    }
    let folder = TempDir::with_prefix("versus").expect("a temporary directory");
    let tree = folder.path().join("tree");
    let size = gather(&tree, bench.items(KIBIBYTES));
    if size == 0 {
        println!("\nskipped: no source text below {}", programs::sources().display());
        return;
    }
    let program = programs::build("treesum");
    let mut group = Group::new(title, size, "KiB");
    let shell = tree.clone();
    group.case("`find`, `xargs -P2`, `sha256sum`", 1, move || {
        ended_well(Command::new("sh").args(["-c", BY_HAND, "sh"]).arg(&shell))
    });
    let halves = ["0", "1"].map(|half| (program.clone(), tree.join(half)));
    group.case("two `treesum --workers 1`, a half of the tree each", 1, move || {
        let children = halves.each_ref().map(|(program, half)| treesum(program, 1, half).spawn());
        let all = children
            .into_iter()
            .all(|child| child.and_then(|mut child| child.wait()).is_ok_and(|status| status.success()));
        u64::from(all)
    });
    for workers in [1, 2] {
        let (program, tree) = (program.clone(), tree.clone());
        group.case(format!("`treesum --workers {workers}`"), 1, move || {
            ended_well(&mut treesum(&program, workers, &tree))
        });
    }
    group.goal("`treesum --workers 2`", Goal::OfFirst(1.0));
    // An efficiency of 95 %.
    group
        .goal("`treesum --workers 2`", Goal::Of("two `treesum --workers 1`, a half of the tree each", 1.053));
    bench.run(group);
}

fn treesum(program: &Path, workers: u32, tree: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["--workers", &workers.to_string()]).arg(tree).stdout(Stdio::null());
    command
}

/// 1 if all went well.
fn ended_well(command: &mut Command) -> u64 {
    let ended = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    u64::from(ended.is_ok_and(|status| status.success()))
}

/// Copies source texts into two folders below `tree`, each to the one that has less so far, until there are so many KiB; returns how many there are.
fn gather(tree: &Path, kibibytes: u32) -> u32 {
    let limit = u64::from(kibibytes) * 1024;
    let halves: [PathBuf; 2] = ["0", "1"].map(|half| tree.join(half));
    for half in &halves {
        fs::create_dir_all(half).expect("a new folder");
    }
    let mut sizes = [0, 0];
    for (number, text) in programs::source_texts().enumerate() {
        if sizes[0] + sizes[1] >= limit {
            break;
        }
        let half = usize::from(sizes[1] < sizes[0]);
        sizes[half] += fs::copy(text, halves[half].join(number.to_string())).expect("it can be copied");
    }
    u32::try_from((sizes[0] + sizes[1]) / 1024).expect("little more than wanted")
}
