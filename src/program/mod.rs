//! XDP programs: typed instructions, maps, loading.
