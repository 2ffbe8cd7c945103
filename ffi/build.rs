//! Xen (feature `xen`): bindings for what xenctrl-sys lacks, and the static libraries.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "xen")]
    xen::build();
}

#[cfg(feature = "xen")]
mod xen {
    use std::path::{Path, PathBuf};
    use std::{env, fs};

    const HEADER: &str = "src/xen/wrapper.h";

    /// What a static libxenctrl needs, itself first.
    const LIBRARIES: [&str; 7] = [
        "xenctrl",
        "xenforeignmemory",
        "xenevtchn",
        "xendevicemodel",
        "xencall",
        "xentoollog",
        "xentoolcore",
    ];

    /// Where Debian and others put the archives.
    const PLACES: [&str; 3] = ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib"];

    pub(crate) fn build() {
        println!("cargo::rerun-if-changed={HEADER}");
        let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
        bind(&out.join("xen.rs"));
        link(&out.join("archives"));
    }

    fn bind(to: &Path) {
        bindgen::Builder::default()
            .header(HEADER)
            .allowlist_function("xenforeignmemory_(open|close|map|unmap|map_resource|unmap_resource)")
            // These are xenctrl-sys's.
            .blocklist_type("xenforeignmemory_handle|xentoollog_logger|xen_pfn_t|domid_t")
            .layout_tests(false)
            .generate()
            .expect("the headers of libxen-dev")
            .write_to_file(to)
            .expect("OUT_DIR is writable");
    }

    /// A folder with only the archives, found first: xenctrl-sys asks for the shared library, which would keep the
    /// binary from starting on a machine without Xen.
    fn link(folder: &Path) {
        let place = PLACES.map(Path::new).into_iter().find(|place| place.join("libxenctrl.a").exists());
        let place = place.expect("libxenctrl.a: install libxen-dev");
        fs::create_dir_all(folder).expect("OUT_DIR is writable");
        println!("cargo::rustc-link-search=native={}", folder.display());
        for name in LIBRARIES {
            let file = format!("lib{name}.a");
            fs::copy(place.join(&file), folder.join(&file)).expect("all archives of libxen-dev");
            println!("cargo::rustc-link-lib=static={name}");
        }
    }
}
