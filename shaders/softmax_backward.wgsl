// dx = y⊙(dy − Σ dy⊙y) for softmax, dx = dy − exp(y)·Σ dy for its logarithm
//
//   y, dy  [N, C]
//   dx     [N, C]; assigned
//
// lanes invocations (1 or 64) compute one row. Workgroups: ⌈N·lanes/64⌉, folded into two dimensions.

struct Params {
  rows: u32,
  classes: u32,
  lanes: u32,
  log_form: u32,
}

@group(0) @binding(0) var<storage, read> y: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let lanes = params.lanes;
  let lane = local % lanes;
  let row = (workgroup.y * workgroups.x + workgroup.x) * (64u / lanes) + local / lanes;
  let inside = row < params.rows;
  let start = min(row, params.rows - 1u) * params.classes;
  let log_form = params.log_form != 0u;
  var total = 0.0;
  for (var i = lane; i < params.classes; i += lanes) {
    total += dy[start + i] * select(y[start + i], 1.0, log_form);
  }
  total = row_sum(total, local, lanes);
  if (!inside) {
    return;
  }
  for (var i = lane; i < params.classes; i += lanes) {
    let at = start + i;
    dx[at] = select(y[at] * (dy[at] - total), dy[at] - exp(min(y[at], 0.0)) * total, log_form);
  }
}
