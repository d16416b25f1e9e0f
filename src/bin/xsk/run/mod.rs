//! A run of sockets on interfaces: what is set up, looked after, counted and reported.

pub(crate) mod both_ends;
pub(crate) mod counts;
pub(crate) mod cut_off;
pub(crate) mod elsewhere;
pub(crate) mod ended;
pub(crate) mod filtering;
pub(crate) mod lines;
pub(crate) mod link;
pub(crate) mod losses;
pub(crate) mod management;
pub(crate) mod pace;
pub(crate) mod parts;
pub(crate) mod port;
pub(crate) mod queues;
pub(crate) mod routing;
pub(crate) mod session;
pub(crate) mod side;
pub(crate) mod sockets;
pub(crate) mod ssh;
pub(crate) mod table;
pub(crate) mod timed;
pub(crate) mod tx_times;
pub(crate) mod waiting;
pub(crate) mod watch;
pub(crate) mod worker;
