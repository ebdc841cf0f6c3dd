// For nginx's njs: reads the policy out of a packet, once it is whole; the variable $policy then names the servers.

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
