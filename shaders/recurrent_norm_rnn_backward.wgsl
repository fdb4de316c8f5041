// One time step of the backward pass of a simple RNN layer with layer normalization, both directions at once, after
// its product: da = dh⊙f'(a), then through the normalization. The bindings are in lib/recurrent_norm_backward.wgsl.
//
// One workgroup takes one batch row. Workgroups: (B, 1, D). H is padded to a multiple of four, with zeros.

@group(0) @binding(0) var<storage, read_write> gates: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> rows: array<vec4f>;
@group(0) @binding(2) var<storage, read> vectors: array<vec4f>;
@group(0) @binding(3) var<storage, read> dy: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> carry: array<vec4f>;
@group(0) @binding(5) var<storage, read> mask: array<i32>;
@group(0) @binding(6) var<storage, read> seed: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) local: u32) {
  let direction = workgroup.z;
  let row = workgroup.x;
  let quads = params.hidden_quads;
  for (var quad = local; quad < quads; quad += 64u) {
    let at = (params.gates_row[direction] + row) * quads + quad;
    let dh = state_gradient(direction, row, quad);
    let share = passed_share(direction, row, quad, 0u);
    gates[at] = dh * (1.0 - share) * candidate_slope(gates[at]);
    carry[params.carry_h[direction] + row * quads + quad] = dh * share;
  }
  recurrent_backward(direction, row, local);
}
