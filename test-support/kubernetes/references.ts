// Whether the objects of a base go together: each selector selects, and each name that one gives another has.
import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { type Base, ofKind, type Pods, podsOf, type Resource, type Selector } from './base.ts';

type Labels = Readonly<Record<string, string>>;
type Named = { name: string };

/** What a name or a selector says of another object and is not so. */
export function referenceProblems(base: Base): string[] {
  const pods = podsOf(base);
  return [
    ...pods.flatMap((each) => deploymentProblems(each, pods, base)),
    ...pods.flatMap((each) => volumeProblems(each, base)),
    ...serviceProblems(base, pods),
    ...budgetProblems(base, pods),
    ...scalerProblems(base, pods),
    ...ofKind(base, 'NetworkPolicy').flatMap((policy) => networkProblems(policy, pods)),
  ];
}

/** Whether all of a selector's labels are there; an empty selector selects everything. */
export function selects({ matchLabels = {} }: Selector, labels: Labels): boolean {
  return Object.entries(matchLabels).every(([key, value]) => labels[key] === value);
}

/** The number of a port of a container, by its number or its name. */
export function portNumber({ container }: Pods, port: number | string | undefined): number | undefined {
  return container.ports?.find(({ name, containerPort }) => containerPort === port || name === port)
    ?.containerPort;
}

function deploymentProblems(
  { where, name, labels, deployment }: Pods,
  all: readonly Pods[],
  base: Base,
): string[] {
  const { selector = {}, replicas, strategy, template } = deployment.spec ?? {};
  const own = all.filter((other) => selects(selector, other.labels)).map((other) => other.name);
  const spread = template?.spec?.topologySpreadConstraints ?? [];
  const isScaled = ofKind(base, 'HorizontalPodAutoscaler').some(
    ({ object }) => object.spec?.scaleTargetRef.name === name,
  );
  return [
    ...(own.join() === name
      ? []
      : [`${where}: its selector selects the pods of [${own}], not its own alone`]),
    ...(spread.length > 0 ? [] : [`${where}: nothing spreads its pods over the nodes`]),
    ...spread
      .filter(({ labelSelector = {} }) => !selects(labelSelector, labels) || isEmpty(labelSelector))
      .map(({ topologyKey }) => `${where}: its spread over ${topologyKey} does not select its own pods`),
    // Kubernetes' own default is a quarter of them, which of two is none, and of four one.
    ...(strategy?.rollingUpdate?.maxUnavailable === 0
      ? []
      : [`${where}: while it is rolled out there are fewer pods`]),
    ...(isScaled && replicas !== undefined ? [`${where}: replicas are the HorizontalPodAutoscaler's`] : []),
    ...(!isScaled && (replicas ?? 1) < 2
      ? [`${where}: one pod alone: each of its restarts is an outage`]
      : []),
  ];
}

function volumeProblems({ where, spec, container }: Pods, { secrets }: Base): string[] {
  const [volumes, mounts] = [spec.volumes ?? [], container.volumeMounts ?? []];
  return [
    ...without(mounts, volumes).map((name) => `${where}: a mount of the volume ${name}, which there is not`),
    ...without(volumes, mounts).map((name) => `${where}: the volume ${name} is mounted nowhere`),
    ...volumes
      .map(({ secret }) => secret?.secretName ?? '')
      .filter((name) => !secrets.has(name))
      .map((name) => `${where}: the Secret "${name}", which there is not`),
    ...doubles((container.ports ?? []).map(({ name = '' }) => ({ name }))).map(
      (name) => `${where}: two ports are called "${name}"`,
    ),
  ];
}

function serviceProblems(base: Base, pods: readonly Pods[]): string[] {
  return ofKind(base, 'Service').flatMap(({ where, object: { spec } }) => {
    const { selector = {}, ports = [] } = spec ?? {};
    const selected =
      Object.keys(selector).length === 0
        ? []
        : pods.filter(({ labels }) => selects({ matchLabels: selector }, labels));
    if (selected.length === 0) return [`${where}: its selector selects nothing`];
    return ports.flatMap(({ port, targetPort = port }) =>
      selected
        .filter((each) => portNumber(each, targetPort as number | string) === undefined)
        .map(({ name }) => `${where}: ${name} has no port ${targetPort}`),
    );
  });
}

function budgetProblems(base: Base, pods: readonly Pods[]): string[] {
  const budgets = ofKind(base, 'PodDisruptionBudget');
  const selectedBy = (selector: Selector = {}): Pods[] =>
    pods.filter(({ labels }) => selects(selector, labels));
  return [
    ...budgets.flatMap(({ where, object: { spec } }) => {
      const selected = selectedBy(spec?.selector);
      if (selected.length !== 1)
        return [`${where}: selects the pods of [${selected.map(({ name }) => name)}], not of one Deployment`];
      // With minAvailable, a Deployment scaled down to it would keep its nodes from ever being drained.
      return spec?.maxUnavailable === 1
        ? []
        : [`${where}: maxUnavailable must be 1, and nothing else be said`];
    }),
    ...pods
      .filter(
        (each) =>
          budgets.filter(({ object }) => selectedBy(object.spec?.selector).includes(each)).length !== 1,
      )
      .map(({ where }) => `${where}: not exactly one PodDisruptionBudget selects it`),
  ];
}

function scalerProblems(base: Base, pods: readonly Pods[]): string[] {
  return ofKind(base, 'HorizontalPodAutoscaler').flatMap(({ where, object: { spec } }) => {
    const { scaleTargetRef: target, minReplicas = 1, maxReplicas = 0 } = spec ?? {};
    const isThere =
      target?.kind === 'Deployment' &&
      target.apiVersion === 'apps/v1' &&
      pods.some(({ name }) => name === target.name);
    return [
      ...(isThere
        ? []
        : [`${where}: scales ${target?.apiVersion} ${target?.kind} ${target?.name}, which there is not`]),
      ...(minReplicas >= 2 && minReplicas < maxReplicas
        ? []
        : [`${where}: ${minReplicas} to ${maxReplicas} replicas`]),
    ];
  });
}

// Selectors of other namespaces select what is not in the base.
function networkProblems(
  { where, object: { spec } }: Resource<INetworkPolicy>,
  pods: readonly Pods[],
): string[] {
  const { podSelector = {}, ingress = [], egress = [], policyTypes = [] } = spec ?? {};
  const peers = [...ingress.flatMap(({ from = [] }) => from), ...egress.flatMap(({ to = [] }) => to)];
  const selectors = [
    podSelector,
    ...peers.flatMap((peer) => (peer.namespaceSelector || !peer.podSelector ? [] : [peer.podSelector])),
  ];
  return [
    ...selectors
      .filter((selector) => !pods.some(({ labels }) => selects(selector, labels)))
      .map((selector) => `${where}: ${JSON.stringify(selector)} selects nothing`),
    ...(ingress.length > 0 && !policyTypes.includes('Ingress')
      ? [`${where}: has ingress and is not of that type`]
      : []),
    ...(egress.length > 0 && !policyTypes.includes('Egress')
      ? [`${where}: has egress and is not of that type`]
      : []),
  ];
}

function isEmpty({ matchLabels = {} }: Selector): boolean {
  return Object.keys(matchLabels).length === 0;
}

function without(some: readonly Named[], others: readonly Named[]): string[] {
  return some.map(({ name }) => name).filter((name) => !others.some((other) => other.name === name));
}

function doubles(some: readonly Named[]): string[] {
  const names = some.map(({ name }) => name);
  return names.filter((name, at) => names.indexOf(name) !== at);
}
