// partial[offset + workgroup] = Σ x² over the workgroup's share of x
//
//   x        [count]
//   partial  one sum a workgroup; assigned
//
// An invocation adds every (64·workgroups)th element, then the workgroup's 64 sums are added as a tree, always
// in the same order. Workgroups: as lowering chooses.

struct Params {
  count: u32,
  offset: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> partial: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  var sum = 0.0;
  for (var i = workgroup.x * 64u + local; i < params.count; i += workgroups.x * 64u) {
    sum += x[i] * x[i];
  }
  let total = row_sum(sum, local, 64u);
  if (local == 0u) {
    partial[params.offset + workgroup.x] = total;
  }
}
