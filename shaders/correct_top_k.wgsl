// correct[n] = 1 if fewer than k classes c come before y = targets[n]: x[n,c] > x[n,y], or equal and c < y; else 0
//
//   x        [N, C]
//   targets  [N]; one outside the classes is never correct
//   correct  [N]; assigned
//
// lanes invocations (1 or 64) compute one row. Workgroups: ⌈N·lanes/64⌉, folded into two dimensions.

struct Params {
  rows: u32,
  classes: u32,
  lanes: u32,
  k: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<i32>;
@group(0) @binding(2) var<storage, read_write> correct: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// Whether value is NaN, by its bits: compilers may take comparisons for granted.
fn is_nan(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let lanes = params.lanes;
  let classes = params.classes;
  let lane = local % lanes;
  let row = (workgroup.y * workgroups.x + workgroup.x) * (64u / lanes) + local / lanes;
  let source = min(row, params.rows - 1u);
  let start = source * classes;
  let chosen = targets[source];
  let label = u32(clamp(chosen, 0, i32(classes) - 1));
  let own = x[start + label];
  var before = 0.0;
  for (var i = lane; i < classes; i += lanes) {
    let score = x[start + i];
    if (score > own || (score == own && i < label)) {
      before += 1.0;
    }
  }
  before = row_sum(before, local, lanes);
  if (row < params.rows && lane == 0u) {
    let known = chosen >= 0 && u32(chosen) < classes && !is_nan(own);
    correct[row] = select(0.0, 1.0, known && before < f32(params.k));
  }
}
