//! Rebuilds what embeds the panel when the panel was rebuilt, and never runs npm itself.

fn main() {
    println!("cargo:rerun-if-changed=admin/dist");
    println!("cargo:rerun-if-changed=build.rs");
}
