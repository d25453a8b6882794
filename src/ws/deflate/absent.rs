//! What stands in the place of compression without the feature `deflate`: types without values.

use alloc::string::String;
use alloc::vec::Vec;

use super::Error;
use super::frame::Role;
use super::handshake::HandshakeError;
use crate::http::LimitsError;

/// How messages are compressed: without the feature `deflate` in no way, so that there is no value of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeflateConfig {}

impl DeflateConfig {
    pub(super) const fn validate(&self) -> Result<(), LimitsError> {
        match *self {}
    }

    pub(crate) const fn each_alone(self) -> Self {
        match self {}
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Agreed {}

#[derive(Debug)]
pub(super) enum Inflater {}

/// Never made: the field is what the real one has.
#[derive(Debug)]
pub(super) struct Deflate {
    pub(super) inflater: Inflater,
}

impl Deflate {
    pub(super) const fn new(_: Role, agreed: Agreed, _: DeflateConfig) -> Self {
        match agreed {}
    }

    pub(super) const fn is_worth(&self, _: usize) -> bool {
        match self.inflater {}
    }

    pub(super) const fn prepared_window_bits(&self) -> Option<u8> {
        match self.inflater {}
    }

    pub(super) const fn compress(&mut self, _: &[u8], _: &mut Vec<u8>) -> bool {
        match self.inflater {}
    }

    pub(super) const fn compress_piece(&mut self, _: &[u8], _: bool, _: &mut bool, _: &mut Vec<u8>) -> bool {
        match self.inflater {}
    }

    pub(super) const fn end_sending(&mut self) {
        match self.inflater {}
    }

    pub(super) const fn release(&mut self, _: bool) {
        match self.inflater {}
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Inflated {
    pub(super) taken: usize,
    pub(super) given: usize,
    pub(super) valid: Result<(), Error>,
}

impl Inflater {
    pub(super) const fn inflate(&mut self, _: &[u8], _: &mut [u8]) -> Inflated {
        match *self {}
    }

    pub(super) const fn end_message(&mut self) -> Result<(), Error> {
        match *self {}
    }
}

pub(super) fn answer<'a>(config: &DeflateConfig, _: impl Iterator<Item = &'a str>) -> Option<(Agreed, String)> {
    match *config {}
}

pub(super) fn offer(config: &DeflateConfig) -> String {
    match *config {}
}

pub(super) fn check<'a>(
    config: &DeflateConfig,
    _: impl Iterator<Item = &'a str>,
) -> Result<Option<Agreed>, HandshakeError> {
    match *config {}
}
