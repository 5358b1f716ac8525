//! Tables as the documentation holds them: markdown, columns aligned for the eye as well.

/// Rows of text under a title.
#[derive(Debug)]
pub(crate) struct Table {
    title: String,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(title: impl Into<String>, columns: &[&str]) -> Self {
        Self { title: title.into(), rows: vec![columns.iter().map(ToString::to_string).collect()] }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Prints the table: the first column to the left, the others, which hold figures, to the right.
    pub(crate) fn print(&self) {
        let columns = self.rows[0].len();
        let width =
            |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        println!("\n### {}\n", self.title);
        for (number, row) in self.rows.iter().enumerate() {
            print!("| {:<width$} |", row[0], width = widths[0]);
            for (cell, width) in row.iter().zip(&widths).skip(1) {
                print!(" {cell:>width$} |");
            }
            println!();
            if number == 0 {
                print!("|{}|", "-".repeat(widths[0] + 2));
                for width in &widths[1..] {
                    print!("{}:|", "-".repeat(width + 1));
                }
                println!();
            }
        }
    }
}

/// The value at `quantile` (0.0 to 1.0) of `sorted`, which must not be empty: the nearest one, none in between.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
pub(crate) fn at_quantile(sorted: &[f64], quantile: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * quantile).round() as usize]
}

/// The median, the 99th percentile and the largest of `samples`, which must not be empty.
pub(crate) fn quantile_cells(samples: &mut [f64]) -> [String; 3] {
    samples.sort_by(f64::total_cmp);
    [0.5, 0.99, 1.0].map(|quantile| format!("{:.1}", at_quantile(samples, quantile)))
}
