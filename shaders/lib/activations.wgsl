// Activations that stay finite: some drivers give NaN for tanh beyond ±45, and exp overflows beyond 88.

fn safe_exp(x: vec4f) -> vec4f {
  return exp(clamp(x, vec4f(-87.0), vec4f(88.0)));
}

fn safe_sigmoid(x: vec4f) -> vec4f {
  return 1.0 / (1.0 + exp(-clamp(x, vec4f(-80.0), vec4f(80.0))));
}

// ln(1 + eˣ)
fn safe_softplus(x: vec4f) -> vec4f {
  return max(x, vec4f(0.0)) + log(1.0 + exp(-min(abs(x), vec4f(80.0))));
}

// tanh is ±1 to float32 precision beyond ±9.
fn safe_tanh(x: vec4f) -> vec4f {
  return tanh(clamp(x, vec4f(-15.0), vec4f(15.0)));
}
