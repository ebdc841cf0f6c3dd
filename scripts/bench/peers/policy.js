// For nginx's njs · reads the policy out of a packet; the variable $policy then names the servers.
// Must never choose before the packet is whole: half of it is no JSON.

function route(session) {
  session.on('upload', (data) => {
    const policy = policyOf(data);
    if (policy === null) return;
    session.variables.policy = `policy-${policy}`;
    session.done();
  });
}

function policyOf(data) {
  try {
    return JSON.parse(data).privPoliId;
  } catch (_incomplete) {
    return null;
  }
}

export default { route };
