//! HVM and PVH guests: Xen keeps their page numbers, so that frames are pfns.

mod context;
mod params;
mod target;

pub(super) use target::HvmTarget;
