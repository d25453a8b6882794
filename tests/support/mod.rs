//! What the test binaries of the layers and the fuzz targets share. It needs nothing but the
//! crate itself, so that `fuzz/` can include it by path.

// Each binary uses a part of it.
#![allow(dead_code)]

pub mod cuts;
pub mod fuzz;
pub mod http;
pub mod memory;
pub mod pieces;
pub mod polls;
pub mod ws;
