// One time step of the backward pass of an LSTM layer with layer normalization, both directions at once, after its
// product: through h = o⊙tanh(c), the normalization of c, c = f⊙c + i⊙g and each gate, then through the normalization of
// the recurrent product. The bindings are in lib/recurrent_norm_backward.wgsl, with c; the gates are i, f, g, o.
// Behind the gains' gradients in the sums lie those of gain and bias of c.
//
// One workgroup takes one batch row. Workgroups: (B, 1, D). H is padded to a multiple of four, with zeros.

@group(0) @binding(0) var<storage, read_write> gates: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> rows: array<vec4f>;
@group(0) @binding(2) var<storage, read> vectors: array<vec4f>;
@group(0) @binding(3) var<storage, read> c: array<vec4f>;
@group(0) @binding(4) var<storage, read> dy: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> carry: array<vec4f>;
@group(0) @binding(6) var<storage, read> mask: array<i32>;
@group(0) @binding(7) var<storage, read> seed: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

fn old_cell(direction: u32, at: u32) -> vec4f {
  if (params.has_previous == 0u) {
    return vec4f();
  }
  return c[params.c_read[direction] + at];
}

fn passing_cell(direction: u32, at: u32) -> vec4f {
  if (params.has_carry_c == 0u) {
    return vec4f();
  }
  return carry[params.carry_c[direction] + at];
}

// c normalized, before gain and bias, which the forward step did not keep: computed again.
fn normalized_cell(direction: u32, row: u32, quad: u32) -> vec4f {
  let quads = params.hidden_quads;
  let first = (params.gates_row[direction] + row) * 4u * quads + quad;
  let scales = rows[params.scales_at + params.rows_row[direction] + row];
  let added = gates[first + quads] * old_cell(direction, row * quads + quad) + gates[first] * gates[first + 2u * quads];
  return select(vec4f(0.0), (added - scales.y) * scales.z, within(quad));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) local: u32) {
  let direction = workgroup.z;
  let row = workgroup.x;
  let quads = params.hidden_quads;
  let gates0 = (params.gates_row[direction] + row) * 4u * quads;
  let vector0 = direction * params.vector_stride + 12u * quads;
  var sum = vec4f();
  var product = vec4f();
  for (var quad = local; quad < quads; quad += 64u) {
    let at = row * quads + quad;
    let o = gates[gates0 + 3u * quads + quad];
    let normalized = normalized_cell(direction, row, quad);
    let gain = vectors[vector0 + quad];
    let out = output(gain * normalized + vectors[vector0 + quads + quad]);
    let dh = state_gradient(direction, row, quad);
    let share = passed_share(direction, row, quad, 0u);
    let dh_new = dh * (1.0 - share);
    let dc = dh_new * o * output_slope(out)
      + passing_cell(direction, at) * (1.0 - passed_share(direction, row, quad, 1u));
    carry[params.carry_h[direction] + at] = dh * share;
    gates[gates0 + 3u * quads + quad] = dh_new * out * gate_slope(o);
    add_sum(direction, row, 4u, quad, dc * normalized);
    add_sum(direction, row, 5u, quad, dc);
    let e = gain * dc;
    sum += e;
    product += e * normalized;
    carry[params.product[direction] + at] = e;
  }
  let mean = row_mean(sum, 1u, local);
  let slope_c = row_mean(product, 1u, local);
  let scale = rows[params.scales_at + params.rows_row[direction] + row].z;
  for (var quad = local; quad < quads; quad += 64u) {
    let at = row * quads + quad;
    let first = gates0 + quad;
    let normalized = normalized_cell(direction, row, quad);
    let e = carry[params.product[direction] + at];
    let dc = select(vec4f(0.0), scale * (e - mean - normalized * slope_c), within(quad));
    let i = gates[first];
    let f = gates[first + quads];
    let g = gates[first + 2u * quads];
    carry[params.carry_c[direction] + at] = dc * f + passing_cell(direction, at) * passed_share(direction, row, quad, 1u);
    let c_old = old_cell(direction, at);
    var d_i = dc * g * gate_slope(i);
    var d_f = dc * c_old * gate_slope(f);
    if (HAS_OPTIONS && params.coupled != 0u) {
      d_i = dc * (g - c_old) * gate_slope(i);
      d_f = vec4f(0.0);
    }
    gates[first] = d_i;
    gates[first + quads] = d_f;
    gates[first + 2u * quads] = dc * i * candidate_slope(g);
  }
  recurrent_backward(direction, row, local);
}
