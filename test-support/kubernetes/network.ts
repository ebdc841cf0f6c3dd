// What the NetworkPolicies of a base let its pods reach, and be reached by: what no policy is about is allowed.
import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { type Base, ofKind, podsOf } from './base.ts';
import { selects } from './references.ts';

/** One side of a connection; those in the base's own namespace have no other. */
type End = { name: string; labels: Readonly<Record<string, string>>; namespace?: string; address?: string };
type Connection = { from: End; to: End; port: number; protocol: 'TCP' | 'UDP' };
type Spec = NonNullable<INetworkPolicy['spec']>;
type Rule = NonNullable<Spec['ingress']>[number] & NonNullable<Spec['egress']>[number];
type Peer = NonNullable<Rule['to']>[number];

const NAMESPACE = 'kubernetes.io/metadata.name';
const PROMETHEUS = { 'app.kubernetes.io/name': 'prometheus' };
const DNS = { 'k8s-app': 'kube-dns' };
const DNS_PORT = 53;
/** One that nothing listens on: who reaches it reaches all. */
const OTHER_PORT = 1;
/** A pod in the namespace of the base that is no part of it. */
export const STRANGER = 'a stranger';
const OUTSIDE: readonly End[] = [
  { name: 'Prometheus', labels: PROMETHEUS, namespace: 'monitoring' },
  { name: 'DNS', labels: DNS, namespace: 'kube-system' },
  { name: 'the DNS cache of the node', labels: {}, namespace: 'none', address: '169.254.20.10' },
  // They have nothing to do with the base, but for a label or a namespace.
  { name: 'anyone', labels: {}, namespace: 'elsewhere' },
  { name: 'a false Prometheus', labels: PROMETHEUS, namespace: 'elsewhere' },
  { name: 'a false DNS', labels: DNS, namespace: 'elsewhere' },
  { name: 'a neighbour of Prometheus', labels: {}, namespace: 'monitoring' },
  { name: 'a neighbour of the DNS', labels: {}, namespace: 'kube-system' },
];

/**
 * Each as `server-p1 → policy-proxy:10000`. A connection comes about when it may leave and may enter, but either side is to be
 * as narrow as it can be.
 */
export type Allowed = {
  /** Names of all that could connect. */
  everybody: readonly string[];
  /** What the pods may connect to. */
  leaving: ReadonlySet<string>;
  /** Who may connect to the pods. */
  entering: ReadonlySet<string>;
};

export function allowedConnections(base: Base): Allowed {
  const policies = ofKind(base, 'NetworkPolicy').map(({ object: { spec = {} } }) => spec as Spec);
  const pods = podsOf(base);
  const listening = pods.flatMap(({ container }) => container.ports ?? []);
  const ports = new Set([...listening.map(({ containerPort }) => containerPort), DNS_PORT, OTHER_PORT]);
  const inside: End[] = [
    ...pods.map(({ name, labels }) => ({ name, labels })),
    { name: STRANGER, labels: {} },
  ];
  const ends = [...inside, ...OUTSIDE];
  const connections = inside.flatMap((subject) =>
    ends.flatMap((other) =>
      [...ports].flatMap((port) =>
        (['TCP', 'UDP'] as const).map((protocol) => ({ subject, other, port, protocol })),
      ),
    ),
  );
  return {
    everybody: ends.map(({ name }) => name),
    leaving: namesOf(
      connections
        .map(({ subject: from, other: to, ...rest }) => ({ from, to, ...rest }))
        .filter((connection) => mayLeave(policies, connection)),
    ),
    entering: namesOf(
      connections
        .map(({ subject: to, other: from, ...rest }) => ({ from, to, ...rest }))
        .filter((connection) => mayEnter(policies, connection)),
    ),
  };
}

function namesOf(connections: readonly Connection[]): Set<string> {
  return new Set(
    connections.map(({ from, to, port, protocol }) => {
      return `${from.name} → ${to.name}:${port}${protocol === 'UDP' ? '/UDP' : ''}`;
    }),
  );
}

function mayLeave(policies: readonly Spec[], { from, to, ...rest }: Connection): boolean {
  const about = policies.filter((policy) => isAbout(policy, 'Egress', from));
  const rules = about.flatMap(({ egress = [] }) => egress);
  return about.length === 0 || rules.some((rule) => isMeant(rule.to, to) && isPort(rule, rest));
}

function mayEnter(policies: readonly Spec[], { from, to, ...rest }: Connection): boolean {
  const about = policies.filter((policy) => isAbout(policy, 'Ingress', to));
  const rules = about.flatMap(({ ingress = [] }) => ingress);
  return about.length === 0 || rules.some((rule) => isMeant(rule.from, from) && isPort(rule, rest));
}

function isAbout({ podSelector = {}, policyTypes = [] }: Spec, type: string, end: End): boolean {
  return (policyTypes as readonly string[]).includes(type) && selects(podSelector, end.labels);
}

// Of a block with more than one address, nobody knows who is in it.
function isMeant(peers: readonly Peer[] = [], { namespace, labels, address }: End): boolean {
  if (peers.length === 0) return true;
  return peers.some(({ podSelector = {}, namespaceSelector, ipBlock }) => {
    if (ipBlock !== undefined) return !ipBlock.cidr.endsWith('/32') || ipBlock.cidr === `${address}/32`;
    if (address !== undefined || !selects(podSelector, labels)) return false;
    if (namespaceSelector === undefined) return namespace === undefined;
    return selects(namespaceSelector, namespace === undefined ? {} : { [NAMESPACE]: namespace });
  });
}

function isPort({ ports = [] }: Rule, { port, protocol }: Pick<Connection, 'port' | 'protocol'>): boolean {
  if (ports.length === 0) return true;
  return ports.some((each) => (each.protocol ?? 'TCP') === protocol && (each.port ?? port) === port);
}
