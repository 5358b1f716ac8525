//! Operating-system threads.

use std::io;
pub use std::thread::{
    JoinHandle, Scope, ScopedJoinHandle, Thread, ThreadId, current, panicking, park, park_timeout, scope,
    yield_now,
};

/// The number of cores this process may use: affinity mask and cgroup quota included, at least 1.
pub fn available_cores() -> usize {
    num_cpus::get().max(1)
}

/// The number of physical cores of the machine, at least 1.
pub fn physical_cores() -> usize {
    num_cpus::get_physical().max(1)
}

fn builder(name: Option<String>, stack_size: Option<usize>) -> std::thread::Builder {
    let mut builder = std::thread::Builder::new();
    if let Some(name) = name {
        builder = builder.name(name);
    }
    if let Some(bytes) = stack_size {
        builder = builder.stack_size(bytes);
    }
    builder
}

/// See [`Builder::spawn`](crate::sync::thread::Builder::spawn).
pub(in crate::sync) fn start<F, T>(
    name: Option<String>,
    stack_size: Option<usize>,
    run: F,
) -> io::Result<JoinHandle<T>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    builder(name, stack_size).spawn(run)
}

/// See [`Builder::spawn_scoped`](crate::sync::thread::Builder::spawn_scoped).
pub(in crate::sync) fn start_scoped<'scope, F, T>(
    name: Option<String>,
    stack_size: Option<usize>,
    scope: &'scope Scope<'scope, '_>,
    run: F,
) -> io::Result<ScopedJoinHandle<'scope, T>>
where
    F: FnOnce() -> T + Send + 'scope,
    T: Send + 'scope,
{
    builder(name, stack_size).spawn_scoped(scope, run)
}
