//! Hostile inputs, by the ids of the project's list of them.

mod a;
mod c;
mod f;
mod m;
mod pieces;
