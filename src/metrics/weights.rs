//! Weights of cells.

/// Weight of each cell: that of its row, or 1 everywhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights<'a> {
    rows: &'a [f64],
    nx: usize,
}

impl<'a> Weights<'a> {
    /// Every cell counts 1: the doubly periodic box.
    pub const EVEN: Weights<'static> = Weights { rows: &[], nx: 0 };

    /// Weights of the rows of a grid with `nx` columns ([`crate::field::Globe::row_weights`]).
    pub fn rows(rows: &'a [f64], nx: usize) -> Self {
        Self { rows, nx }
    }

    /// Weight of a cell; 0 for one that the grid does not have.
    pub fn of(&self, cell: usize) -> f64 {
        match cell.checked_div(self.nx) {
            None => 1.0,
            Some(row) => self.rows.get(row).copied().unwrap_or(0.0),
        }
    }

    /// Whether frames of this many cells are of this grid.
    pub fn fit(&self, cells: usize) -> bool {
        self.nx == 0 || self.rows.len() * self.nx == cells
    }

    /// Weighted mean of values by cell, `cells` of them. `None` where the weights do not fit or add up to nothing.
    pub fn mean(&self, values: impl Iterator<Item = f64>, cells: usize) -> Option<f64> {
        if !self.fit(cells) {
            return None;
        }
        let (mut sum, mut total) = (0.0, 0.0);
        for (cell, value) in values.enumerate() {
            let weight = self.of(cell);
            // A cell without weight may hold anything, NaN included.
            if weight > 0.0 {
                sum += weight * value;
                total += weight;
            }
        }
        (total > 0.0).then(|| sum / total)
    }
}
