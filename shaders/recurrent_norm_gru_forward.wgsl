// One time step of a GRU layer with layer normalization, both directions at once, after its product: r,z =
// σ(a + LN(v) + b), n = tanh(a_n + r⊙(LN(v)_n + b_n)), h = (1−z)⊙n + z⊙h, where σ and tanh are the activations
// chosen. The bindings are in lib/recurrent_norm_forward.wgsl; the gates are r, z, n.
//
// One workgroup takes one batch row. Workgroups: (B, 1, D). H is padded to a multiple of four, with zeros.

@group(0) @binding(0) var<storage, read_write> gates: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> rows: array<vec4f>;
@group(0) @binding(2) var<storage, read> vectors: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> h: array<vec4f>;
@group(0) @binding(4) var<storage, read> mask: array<i32>;
@group(0) @binding(5) var<storage, read> seed: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) local: u32) {
  let direction = workgroup.z;
  let row = workgroup.x;
  let quads = params.hidden_quads;
  let moments = recurrent_moments(direction, row, local);
  for (var quad = local; quad < quads; quad += 64u) {
    let first = (params.gates_row[direction] + row) * 3u * quads + quad;
    let a_r = gates[first] + recurrent_part(direction, row, 0u, quad, moments);
    let a_z = gates[first + quads] + recurrent_part(direction, row, 1u, quad, moments);
    let m = recurrent_part(direction, row, 2u, quad, moments);
    let r = gate(a_r);
    let z = gate(a_z);
    let n = candidate(gates[first + 2u * quads] + r * m);
    var h_new = (1.0 - z) * n;
    if (params.has_previous != 0u) {
      h_new += z * h[params.h_read[direction] + row * quads + quad];
    }
    store_state(direction, row, quad, quads, h_new);
    if (params.save != 0u) {
      gates[first] = r;
      gates[first + quads] = z;
      gates[first + 2u * quads] = n;
    }
  }
  save_scales(direction, row, local, moments.y, vec2f());
}
