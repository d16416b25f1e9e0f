//! The command-line tool, run as a user runs it, in network namespaces of its own.
#![cfg(feature = "cli")]

mod bad_input;
mod between;
mod bridge;
mod capture;
mod capture_ends;
mod capture_files;
mod captures;
mod cards;
#[path = "../common/mod.rs"]
mod common;
mod demo;
mod doctor;
mod doctor_kinds;
mod doctor_packets;
mod doctor_rights;
mod ends;
mod features;
mod filters;
mod fixture;
mod frags;
mod generate;
mod keys;
mod latency;
mod links;
mod losses;
mod manual;
mod napi;
mod packets;
mod plot;
mod queues;
mod receive;
mod recipes;
mod replay;
mod respond;
mod respond_frames;
mod rights;
mod several;
mod sharing;
mod status;
mod status_judges;
mod steer;
#[path = "../bpf/tagger.rs"]
mod tagger;
mod timestamps;
mod traffic;
mod unload;
