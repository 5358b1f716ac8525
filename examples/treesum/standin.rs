//! Stand-in, to be deleted.
#![allow(missing_docs, clippy::all, clippy::pedantic, dead_code)]
use gristmill::CancellationToken;
#[derive(Clone, Debug)]
pub(crate) struct Report;
impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "report")
    }
}
#[derive(Debug)]
pub(crate) struct PipelineError<E>(Report, Option<E>);
impl<E> PipelineError<E> {
    pub(crate) fn report(&self) -> &Report {
        &self.0
    }
    pub(crate) fn source_error(&self) -> Option<&E> {
        self.1.as_ref()
    }
}
impl<E: std::fmt::Display> std::fmt::Display for PipelineError<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.1 {
            Some(e) => write!(f, "{e}"),
            None => write!(f, "cancelled"),
        }
    }
}
pub(crate) struct Pipeline<I>(I);
impl<I: Iterator> Pipeline<I> {
    pub(crate) fn from_iter(i: I) -> Self {
        Self(i)
    }
    pub(crate) fn workers(self, _: usize) -> Self {
        self
    }
    pub(crate) fn window(self, _: usize) -> Self {
        self
    }
    pub(crate) fn source_may_block(self) -> Self {
        self
    }
    pub(crate) fn in_order(self) -> Self {
        self
    }
    pub(crate) fn unordered(self) -> Self {
        self
    }
    pub(crate) fn map_init<S, T>(
        self,
        _: &str,
        init: impl Fn() -> S,
        f: impl Fn(&mut S, I::Item) -> T,
    ) -> Pipeline<impl Iterator<Item = T>> {
        let mut s = init();
        Pipeline(self.0.map(move |x| f(&mut s, x)))
    }
    pub(crate) fn try_for_each<E, F: FnMut(I::Item) -> Result<(), E>>(self, _: &str, f: F) -> Sink<I, F> {
        Sink(self.0, f)
    }
}
pub(crate) struct Sink<I, F>(I, F);
impl<I: Iterator, E, F: FnMut(I::Item) -> Result<(), E>> Sink<I, F> {
    pub(crate) fn run(mut self, token: &CancellationToken) -> Result<Report, PipelineError<E>> {
        for x in self.0 {
            if token.is_cancelled() {
                return Err(PipelineError(Report, None));
            }
            (self.1)(x).map_err(|e| PipelineError(Report, Some(e)))?;
        }
        Ok(Report)
    }
}
