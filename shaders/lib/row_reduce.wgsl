// Sums and maxima over a row, by one invocation alone (lanes = 1) or by all 64 of a workgroup together.
// All 64 must call, and lanes must be uniform.

var<workgroup> row_partial: array<f32, 64>;

fn row_max(value: f32, local: u32, lanes: u32) -> f32 {
  if (lanes == 1u) {
    return value;
  }
  workgroupBarrier();
  row_partial[local] = value;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half /= 2u) {
    if (local < half) {
      row_partial[local] = max(row_partial[local], row_partial[local + half]);
    }
    workgroupBarrier();
  }
  return row_partial[0];
}

fn row_sum(value: f32, local: u32, lanes: u32) -> f32 {
  if (lanes == 1u) {
    return value;
  }
  workgroupBarrier();
  row_partial[local] = value;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half /= 2u) {
    if (local < half) {
      row_partial[local] += row_partial[local + half];
    }
    workgroupBarrier();
  }
  return row_partial[0];
}
