//! What a failure means for the rest of its key.

/// What becomes of the run and of later items of a key when an item of it fails; see
/// [`after_failure`](super::super::Pipeline::after_failure).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AfterFailure {
    /// The run ends with the error, as with any other stage.
    #[default]
    Stop,
    /// The item is dropped and counted as failed; the next item of the key runs.
    Continue,
    /// The item is dropped and counted as failed, and so are all later items of the key, which are counted as filtered. Other keys go on.
    DropRest,
}
