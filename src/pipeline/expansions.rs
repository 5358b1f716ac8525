//! The stage that makes many items of one within a bound.

use std::borrow::Cow;

use super::builder::Pipeline;
use super::expand::ThroughExpand;
use super::report::StageKind;
use super::step::Through;

impl<P, S, T, M> Pipeline<P, S, T, M> {
    /// Makes any number of items of each one, of which at most `most` are on their way to the sink at a time: at least 1, and zero is refused by `run`.
    ///
    /// For items that become very many: the lines of a large file, the pages of an archive. [`flat_map`](Self::flat_map) runs on all workers, but what it makes of one
    /// item lies in memory at once; here the iterators are read as the [source](Self::from_iter) is: one at a time and in order, by whichever worker has nothing to do further
    /// downstream, and no further than the bound. So `call` and the iterator should be light beside what follows (to read a file's next line is, to decode an image is not), and must not
    /// wait for what comes after this stage; heavy work belongs into the stages around it, which run on all workers.
    ///
    /// Errors, and what they are recorded with, have the index of the item that was expanded: where the place in it matters, `enumerate` in `call`.
    ///
    /// What is on its way does not count for the [`window`](Self::window): that counts the items before they are expanded, and each until the last of what it became
    /// is through. Results that are held in a [batch](Self::batch) that is being filled come on top of `most`.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// use std::io::{BufRead, BufReader};
    ///
    /// let files = ["a\nb\nc", "", "d"]; // or paths, and `File::open` in the first stage
    /// let (lines, _) = Pipeline::from_iter(files)
    ///     .try_map("open", |file| Ok::<_, std::io::Error>(file.as_bytes()))
    ///     .flat_map_bounded("lines", 1000, |file| BufReader::new(file).lines())
    ///     .try_map("upper", |line| Ok(line?.to_uppercase()))
    ///     .collect::<Vec<_>>()
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(lines, ["A", "B", "C", "D"]);
    /// # Ok::<(), gristmill::PipelineError<std::io::Error>>(())
    /// ```
    ///
    /// # Cancellation
    /// Looked for before every item of an iterator; what it has not given is not asked for.
    pub fn flat_map_bounded<I, F>(
        mut self,
        name: impl Into<Cow<'static, str>>,
        most: usize,
        call: F,
    ) -> Pipeline<ThroughExpand<P, S, F>, Through, I::Item, M>
    where
        I: IntoIterator,
        I::IntoIter: Send,
        F: FnMut(T) -> I + Send,
    {
        if most == 0 {
            self.settings.invalid = Some("flat_map_bounded");
        }
        let expansion = self.settings.expansions.len();
        self.settings.expansions.push(most);
        self.cut(name, StageKind::Serial, |plan, step, stages| ThroughExpand {
            plan,
            step,
            stages,
            call,
            expansion,
        })
    }
}
