// What the NetworkPolicies of a base let its pods reach, and be reached by: what no policy is about is allowed.
import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { type Base, ofKind, podsOf } from './base.ts';
import { selects } from './references.ts';

/** One side of a connection; those in the base's own namespace have no other. */
type End = { name: string; labels: Readonly<Record<string, string>>; namespace?: string; address?: string };
type Spec = NonNullable<INetworkPolicy['spec']>;
type Rule = NonNullable<Spec['ingress']>[number] & NonNullable<Spec['egress']>[number];
type Direction = 'Ingress' | 'Egress';

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
  const doors = [...ports].flatMap((port) => [
    { port, protocol: 'TCP' },
    { port, protocol: 'UDP' },
  ]);
  const connectionsOf = (type: Direction, subject: End): string[] => {
    const rules = rulesFor(policies, type, subject);
    return ends.flatMap((other) => {
      const [from, to] = type === 'Egress' ? [subject, other] : [other, subject];
      return doors
        .filter((door) => rules === null || rules.some((rule) => isMeant(rule, other) && isOpen(rule, door)))
        .map(({ port, protocol }) => {
          return `${from.name} → ${to.name}:${port}${protocol === 'UDP' ? '/UDP' : ''}`;
        });
    });
  };
  return {
    everybody: ends.map(({ name }) => name),
    leaving: new Set(inside.flatMap((pod) => connectionsOf('Egress', pod))),
    entering: new Set(inside.flatMap((pod) => connectionsOf('Ingress', pod))),
  };
}

// Of all policies about a pod each rule allows something; null where there is none, and so everything is allowed.
function rulesFor(policies: readonly Spec[], type: Direction, { labels }: End): readonly Rule[] | null {
  const about = policies.filter(
    ({ podSelector = {}, policyTypes = [] }) => policyTypes.includes(type) && selects(podSelector, labels),
  );
  if (about.length === 0) return null;
  return about.flatMap(({ ingress = [], egress = [] }): Rule[] => (type === 'Ingress' ? ingress : egress));
}

// Of a block with more than one address, nobody knows who is in it.
function isMeant({ from = [], to = from }: Rule, { namespace, labels, address }: End): boolean {
  if (to.length === 0) return true;
  return to.some(({ podSelector = {}, namespaceSelector, ipBlock }) => {
    if (ipBlock !== undefined) return !ipBlock.cidr.endsWith('/32') || ipBlock.cidr === `${address}/32`;
    if (address !== undefined || !selects(podSelector, labels)) return false;
    if (namespaceSelector === undefined) return namespace === undefined;
    return selects(namespaceSelector, namespace === undefined ? {} : { [NAMESPACE]: namespace });
  });
}

function isOpen({ ports = [] }: Rule, door: { port: number; protocol: string }): boolean {
  if (ports.length === 0) return true;
  return ports.some(
    ({ port = door.port, protocol = 'TCP' }) => port === door.port && protocol === door.protocol,
  );
}
