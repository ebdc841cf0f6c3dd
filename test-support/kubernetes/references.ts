// Whether the objects of a base go together: each selector selects, and each name that one gives another has.
import { isDeepStrictEqual } from 'node:util';
import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { type Base, ofKind, type Pods, podsOf, type Resource, type Selector, unmet } from './base.ts';

type Labels = Readonly<Record<string, string>>;
type Named = { name?: string };

/** Each selector of the base's own pods has them, or it would select those of others in the same namespace. */
const NEEDED_LABELS = ['app.kubernetes.io/name', 'app.kubernetes.io/component'];

const HOST = 'kubernetes.io/hostname';
const ZONE = 'topology.kubernetes.io/zone';

/** What a name or a selector says of another object and is not so. */
export function referenceProblems(base: Base): string[] {
  const pods = podsOf(base);
  return [
    ...pods.flatMap((each) => deploymentProblems(each, pods, base)),
    ...pods.flatMap((each) => nameProblems(each, base)),
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

/** The pods that have all labels of a selector, and no other. */
export function podsWith(labels: Labels | undefined, pods: readonly Pods[]): Pods[] {
  return pods.filter((each) => isDeepStrictEqual(each.labels, labels));
}

/** The number of a port of a container, by its number or its name. */
export function portNumber({ container }: Pods, port: number | string | undefined): number | undefined {
  return container.ports?.find(({ name, containerPort }) => containerPort === port || name === port)
    ?.containerPort;
}

function deploymentProblems(pods: Pods, all: readonly Pods[], base: Base): string[] {
  const { where, name, labels, deployment } = pods;
  const { selector, replicas, minReadySeconds = 0, strategy, template } = deployment.spec ?? {};
  const spread = template?.spec?.topologySpreadConstraints ?? [];
  const scalers = ofKind(base, 'HorizontalPodAutoscaler');
  const isScaled = scalers.some(({ object }) => object.spec?.scaleTargetRef.name === name);
  return unmet(where, [
    [NEEDED_LABELS.every((key) => key in labels), `its pods lack one of ${NEEDED_LABELS.join(', ')}`],
    [isDeepStrictEqual(deployment.metadata?.labels, labels), 'its labels are not those of its pods'],
    [isDeepStrictEqual(selector?.matchLabels, labels), 'its selector does not select its own pods'],
    [podsWith(labels, all).length === 1, 'the pods of another Deployment have the same labels'],
    [spread.some(({ topologyKey }) => topologyKey === HOST), 'nothing spreads its pods over the nodes'],
    [
      spread.every(({ whenUnsatisfiable }) => whenUnsatisfiable === 'ScheduleAnyway'),
      'a cluster of one node runs one of its pods',
    ],
    [spread.every(({ topologyKey }) => [HOST, ZONE].includes(topologyKey)), 'nodes have no such label'],
    [
      spread.every(({ matchLabelKeys }) => matchLabelKeys?.join() === 'pod-template-hash'),
      'pods of the version before count when they are spread',
    ],
    ...spread.map(({ topologyKey, labelSelector }): [boolean, string] => [
      isDeepStrictEqual(labelSelector?.matchLabels, labels),
      `its spread over ${topologyKey} does not select its own pods`,
    ]),
    [strategy?.rollingUpdate?.maxUnavailable === 0, 'while it is rolled out there are fewer pods'],
    [minReadySeconds > 0, 'a pod goes as soon as the next one is ready: no minReadySeconds'],
    [!isScaled || replicas === undefined, "replicas are the HorizontalPodAutoscaler's"],
    [isScaled || (replicas ?? 1) >= 2, 'one pod alone: each of its restarts is an outage'],
  ]);
}

function nameProblems({ where, spec, container }: Pods, { secrets }: Base): string[] {
  const { volumes = [] } = spec;
  const { volumeMounts: mounts = [], ports = [] } = container;
  const isIn = (some: readonly Named[]) => (one: Named) => some.some(({ name }) => name === one.name);
  return unmet(where, [
    [mounts.every(isIn(volumes)), 'a mount of a volume that there is not'],
    [volumes.every(isIn(mounts)), 'a volume that is mounted nowhere'],
    [volumes.every(({ secret }) => secrets.has(secret?.secretName ?? '')), 'a Secret that there is not'],
    [areDifferent(volumes), 'two volumes of one name'],
    [areDifferent(ports), 'two ports of one name'],
  ]);
}

function areDifferent(some: readonly Named[]): boolean {
  return new Set(some.map(({ name }) => name)).size === some.length;
}

function serviceProblems(base: Base, pods: readonly Pods[]): string[] {
  return ofKind(base, 'Service').flatMap(({ where, object: { spec } }) => {
    const selected = podsWith(spec?.selector, pods);
    const ports = spec?.ports ?? [];
    return unmet(where, [
      [selected.length > 0, 'its selector selects nothing'],
      [ports.length > 0 && areDifferent(ports), 'its ports have no names of their own'],
      ...ports.map(({ port, targetPort = port }): [boolean, string] => [
        selected.every((each) => portNumber(each, targetPort) !== undefined),
        `its pods have no port ${targetPort}`,
      ]),
    ]);
  });
}

function budgetProblems(base: Base, pods: readonly Pods[]): string[] {
  const budgets = ofKind(base, 'PodDisruptionBudget').map(({ where, object: { spec = {} } }) => {
    return { where, spec, selected: podsWith(spec.selector?.matchLabels, pods) };
  });
  return [
    ...budgets.flatMap(({ where, spec, selected }) =>
      unmet(where, [
        [selected.length > 0, 'its selector selects nothing'],
        [spec.maxUnavailable === 1, 'maxUnavailable is not 1'],
        [spec.unhealthyPodEvictionPolicy === 'AlwaysAllow', 'broken pods keep a node from being drained'],
      ]),
    ),
    ...pods.flatMap((each) =>
      unmet(each.where, [
        [
          budgets.filter(({ selected }) => selected.includes(each)).length === 1,
          'not one PodDisruptionBudget',
        ],
      ]),
    ),
  ];
}

function scalerProblems(base: Base, pods: readonly Pods[]): string[] {
  return ofKind(base, 'HorizontalPodAutoscaler').flatMap(({ where, object: { spec } }) => {
    const { scaleTargetRef: target, minReplicas = 1, maxReplicas = 0 } = spec ?? {};
    const isDeployment = target?.kind === 'Deployment' && target.apiVersion === 'apps/v1';
    return unmet(where, [
      [isDeployment && pods.some(({ name }) => name === target.name), 'it scales what there is not'],
      [minReplicas >= 2 && minReplicas < maxReplicas, `${minReplicas} to ${maxReplicas} replicas`],
    ]);
  });
}

// Selectors of other namespaces select what is not in the base.
function networkProblems(
  { where, object: { spec } }: Resource<INetworkPolicy>,
  pods: readonly Pods[],
): string[] {
  const { podSelector, ingress = [], egress = [], policyTypes } = spec ?? {};
  const peers = [...ingress.flatMap(({ from = [] }) => from), ...egress.flatMap(({ to = [] }) => to)];
  const own = peers.filter(({ namespaceSelector, ipBlock }) => (namespaceSelector ?? ipBlock) === undefined);
  const selectors = [podSelector, ...own.map((peer) => peer.podSelector)];
  const isGiven = ({ matchLabels = {} }: Selector): boolean =>
    NEEDED_LABELS.every((key) => key in matchLabels) &&
    pods.some(({ labels }) => selects({ matchLabels }, labels));
  return unmet(where, [
    [selectors.every((each) => each !== undefined), 'a selector is missing'],
    [
      selectors.every((each = {}) => isEmpty(each) || isGiven(each)),
      'a selector selects nothing, or others too',
    ],
    [policyTypes !== undefined, 'of what type it is must be said'],
    [
      ingress.length === 0 || policyTypes?.includes('Ingress') === true,
      'it has ingress and is not of that type',
    ],
    [
      egress.length === 0 || policyTypes?.includes('Egress') === true,
      'it has egress and is not of that type',
    ],
  ]);
}

function isEmpty({ matchLabels = {} }: Selector): boolean {
  return Object.keys(matchLabels).length === 0;
}
