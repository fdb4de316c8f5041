// y[n,c] = exp(x[n,c] − max)/Σ, or its logarithm when log_form
//
//   x  [N, C]
//   y  [N, C]; assigned
//
// lanes invocations (1 or 64) compute one row. Workgroups: ⌈N·lanes/64⌉, folded into two dimensions.

struct Params {
  rows: u32,
  classes: u32,
  lanes: u32,
  log_form: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let lanes = params.lanes;
  let lane = local % lanes;
  let row = (workgroup.y * workgroups.x + workgroup.x) * (64u / lanes) + local / lanes;
  let inside = row < params.rows;
  let start = min(row, params.rows - 1u) * params.classes;
  var highest = -3.4e38;
  for (var i = lane; i < params.classes; i += lanes) {
    highest = max(highest, x[start + i]);
  }
  highest = row_max(highest, local, lanes);
  var total = 0.0;
  for (var i = lane; i < params.classes; i += lanes) {
    total += exp(x[start + i] - highest);
  }
  total = row_sum(total, local, lanes);
  if (!inside) {
    return;
  }
  let log_total = log(total);
  for (var i = lane; i < params.classes; i += lanes) {
    let shifted = x[start + i] - highest;
    y[start + i] = select(exp(shifted) / total, shifted - log_total, params.log_form != 0u);
  }
}
