// divisor = Σ_n mask[n]·w[targets[n]] over the n in [begin, end) whose target is not ignored (+ divisor when
// accumulate): what a mean of cross-entropies divides by
//
//   targets  [N]; one outside the classes takes the nearest
//   weight   [C]: w; ones unless has_weight
//   mask     [N]; ones unless has_mask
//   divisor  [1]
//
// One workgroup of 64 invocations, which share the sum.

struct Params {
  begin: u32,
  end: u32,
  classes: u32,
  has_weight: u32,
  has_mask: u32,
  has_ignored: u32,
  ignored: u32, // the bits of an i32
  accumulate: u32,
}

@group(0) @binding(0) var<storage, read> targets: array<i32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> mask: array<f32>;
@group(0) @binding(3) var<storage, read_write> divisor: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) local: u32) {
  var sum = 0.0;
  for (var row = params.begin + local; row < params.end; row += 64u) {
    let chosen = targets[row];
    if (params.has_ignored != 0u && chosen == bitcast<i32>(params.ignored)) {
      continue;
    }
    var counted = 1.0;
    if (params.has_weight != 0u) {
      counted = weight[u32(clamp(chosen, 0, i32(params.classes) - 1))];
    }
    if (params.has_mask != 0u) {
      counted *= mask[row];
    }
    sum += counted;
  }
  sum = row_sum(sum, local, 64u);
  if (local == 0u) {
    if (params.accumulate != 0u) {
      sum += divisor[0];
    }
    divisor[0] = sum;
  }
}
