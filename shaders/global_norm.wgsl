// norm = sqrt(Σ partial)
//
//   partial  [count]
//   norm     one number; assigned
//
// Workgroups: 1, of 64 invocations.

struct Params {
  count: u32,
}

@group(0) @binding(0) var<storage, read> partial: array<f32>;
@group(0) @binding(1) var<storage, read_write> norm: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) local: u32) {
  var sum = 0.0;
  for (var i = local; i < params.count; i += 64u) {
    sum += partial[i];
  }
  let total = row_sum(sum, local, 64u);
  if (local == 0u) {
    norm[0] = sqrt(total);
  }
}
