// Who may connect to whom by the NetworkPolicies of a base, as Kubernetes defines it: what no policy is about is allowed.
import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { type Base, ofKind, type Pods, podsOf } from './base.ts';
import { portNumber, selects } from './references.ts';

/** One side of a connection: pods of the base, or others outside of its namespace. */
type End = { name: string; labels: Readonly<Record<string, string>>; namespace: string | null; pods?: Pods };
type Spec = NonNullable<INetworkPolicy['spec']>;
type Rule = NonNullable<Spec['ingress']>[number] & NonNullable<Spec['egress']>[number];
type Peer = NonNullable<Rule['to']>[number];

const NAMESPACE = 'kubernetes.io/metadata.name';
const OUTSIDE: readonly End[] = [
  { name: 'anyone', labels: {}, namespace: 'elsewhere' },
  { name: 'Prometheus', labels: { 'app.kubernetes.io/name': 'prometheus' }, namespace: 'monitoring' },
  { name: 'DNS', labels: { 'k8s-app': 'kube-dns' }, namespace: 'kube-system' },
];
const DNS_PORT = 53;

/** Every connection that the policies allow, as `server-p1 → policy-proxy:10000`, between the pods and with what is outside. */
export function allowedConnections(base: Base): string[] {
  const policies = ofKind(base, 'NetworkPolicy').flatMap(({ object: { spec } }) =>
    spec === undefined ? [] : [spec],
  );
  const pods = podsOf(base).map((each): End => ({ ...each, namespace: null, pods: each }));
  const ends = [...pods, ...OUTSIDE];
  return ends.flatMap((from) =>
    ends
      .filter((to) => from.pods !== undefined || to.pods !== undefined)
      .flatMap((to) => portsOf(to).map((port) => ({ to, ...port })))
      .filter(({ to, port, protocol }) => {
        const leaves = isAllowed(policies, 'Egress', from, to, to, port, protocol);
        return leaves && isAllowed(policies, 'Ingress', to, from, to, port, protocol);
      })
      .map(
        ({ to, port, protocol }) => `${from.name} → ${to.name}:${port}${protocol === 'UDP' ? '/UDP' : ''}`,
      ),
  );
}

function portsOf({ name, pods }: End): { port: number; protocol: string }[] {
  if (name === 'DNS') return ['UDP', 'TCP'].map((protocol) => ({ port: DNS_PORT, protocol }));
  return (pods?.container.ports ?? []).map(({ containerPort }) => ({ port: containerPort, protocol: 'TCP' }));
}

function isAllowed(
  policies: readonly Spec[],
  type: 'Ingress' | 'Egress',
  subject: End,
  other: End,
  to: End,
  port: number,
  protocol: string,
): boolean {
  const about = policies.filter(({ podSelector = {}, policyTypes = [] }) => {
    return subject.namespace === null && policyTypes.includes(type) && selects(podSelector, subject.labels);
  });
  if (about.length === 0) return true;
  const rules: Rule[] = about.flatMap(({ ingress = [], egress = [] }) =>
    type === 'Ingress' ? ingress : egress,
  );
  return rules.some(({ from, to: peers = from, ports }) => {
    const isPeer = peers === undefined || peers.some((peer) => isMeant(peer, other));
    return isPeer && (ports === undefined || ports.some((each) => isPort(each, to, port, protocol)));
  });
}

// A block of addresses is none of pods: those come and go.
function isMeant({ podSelector = {}, namespaceSelector, ipBlock }: Peer, end: End): boolean {
  if (ipBlock !== undefined) return false;
  const isThere =
    namespaceSelector === undefined
      ? end.namespace === null
      : end.namespace !== null && selects(namespaceSelector, { [NAMESPACE]: end.namespace });
  return isThere && selects(podSelector, end.labels);
}

function isPort(
  { port: allowed, protocol: allowedProtocol = 'TCP' }: NonNullable<Rule['ports']>[number],
  to: End,
  port: number,
  protocol: string,
): boolean {
  if (allowedProtocol !== protocol) return false;
  const number = to.pods === undefined || allowed === undefined ? allowed : portNumber(to.pods, allowed);
  return number === undefined ? allowed === undefined : number === port;
}
