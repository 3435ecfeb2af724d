//! Lets the C library's allocator give large buffers back to the system.
//!
//! By itself glibc raises the size from which it maps memory with every large buffer that is freed, up to 32 MiB, and keeps
//! twice as much in each of its arenas: after a few pictures a server holds hundreds of megabytes that nobody uses
//! (mallopt(3), M_MMAP_THRESHOLD). Fixed values end that; they are read only when a process starts.

use std::ffi::OsString;

const VARIABLE: &str = "GLIBC_TUNABLES";
/// Buffers of this size are mapped by themselves, and so are gone once freed.
const MAPPED: usize = 512 * 1024;
/// As much free memory stays at the end of an arena, to be used again.
const KEPT: usize = 4 * 1024 * 1024;

/// Starts this program anew in its own place, with the allocator's limits fixed, unless whoever started it chose some.
///
/// Returns where there is nothing to do, or where the system refuses: all works without, with more memory.
pub fn settle() {
    if cfg!(not(all(target_os = "linux", target_env = "gnu"))) || std::env::var_os(VARIABLE).is_some() {
        return;
    }
    // Each thread would have an arena of its own, up to eight a core, and each keeps what one verification once took. With one a
    // core the threads of SQLite wait for those of the requests.
    let arenas = std::thread::available_parallelism().map_or(4, |cores| (2 * cores.get()).clamp(4, 8));
    let tunables = format!(
        "glibc.malloc.mmap_threshold={MAPPED}:glibc.malloc.trim_threshold={KEPT}:glibc.malloc.arena_max={arenas}"
    );
    restart(&tunables);
}

#[cfg(unix)]
fn restart(tunables: &str) {
    use std::os::unix::process::CommandExt;

    let Ok(program) = std::env::current_exe() else { return };
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    if arguments.is_empty() {
        return;
    }
    let name = arguments.remove(0);
    // Only comes back with an error; the process id stays the same.
    let _error = std::process::Command::new(program).arg0(name).args(arguments).env(VARIABLE, tunables).exec();
}

#[cfg(not(unix))]
fn restart(_tunables: &str) {}
