// One time step of the backward pass of a GRU layer with layer normalization, both directions at once, after its
// product: with m = LN(v)_n + b_n, through h = (1−z)⊙n + z⊙h and n = tanh(a_n + r⊙m), then through the normalization,
// where the gradient of m takes the place of that of a_n. The bindings are in lib/recurrent_norm_backward.wgsl, with h;
// the gates are r, z, n. Behind the gains' gradients in the sums lies that of n's recurrent bias.
//
// One workgroup takes one batch row. Workgroups: (B, 1, D). H is padded to a multiple of four, with zeros.

@group(0) @binding(0) var<storage, read_write> gates: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> rows: array<vec4f>;
@group(0) @binding(2) var<storage, read> vectors: array<vec4f>;
@group(0) @binding(3) var<storage, read> h: array<vec4f>;
@group(0) @binding(4) var<storage, read> dy: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> carry: array<vec4f>;
@group(0) @binding(6) var<storage, read> mask: array<i32>;
@group(0) @binding(7) var<storage, read> seed: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) local: u32) {
  let direction = workgroup.z;
  let row = workgroup.x;
  let quads = params.hidden_quads;
  for (var quad = local; quad < quads; quad += 64u) {
    let at = row * quads + quad;
    let first = (params.gates_row[direction] + row) * 3u * quads + quad;
    let r = gates[first];
    let z = gates[first + quads];
    let n = gates[first + 2u * quads];
    let vector = direction * params.vector_stride + 2u * quads + quad;
    let normalized = rows[((params.rows_row[direction] + row) * 3u + 2u) * quads + quad];
    let m = vectors[vector] * normalized + vectors[vector + 3u * quads] + vectors[vector + 6u * quads];
    var h_old = vec4f();
    if (params.has_previous != 0u) {
      h_old = h[params.h_read[direction] + at];
    }
    let dh = state_gradient(direction, row, quad);
    let share = passed_share(direction, row, quad, 0u);
    let dh_new = dh * (1.0 - share);
    let dn = dh_new * (1.0 - z) * candidate_slope(n);
    carry[params.carry_h[direction] + at] = z * dh_new + share * dh;
    gates[first] = dn * m * gate_slope(r);
    gates[first + quads] = dh_new * (h_old - n) * gate_slope(z);
    gates[first + 2u * quads] = dn;
    carry[params.product[direction] + at] = dn * r;
    add_sum(direction, row, 3u, quad, dn * r);
  }
  recurrent_backward(direction, row, local);
}
