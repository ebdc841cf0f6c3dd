// Whether an object is what the API server takes: its fields, their types, and what is required.
import * as models from '@kubernetes/client-node/dist/gen/models/all.js';
import type { IDeployment } from 'kubernetes-models/apps/v1/Deployment';
import type { Manifest, Resource } from './base.ts';

type Attribute = { baseName: string; type: string };
type Model = { getAttributeTypeMap(): readonly Attribute[] };
type Errors = { errors?: readonly { instancePath: string; message?: string; params?: object }[] };

const MODELS = models as unknown as Readonly<Record<string, Model>>;
/** RFC 1123: the names of nearly everything. */
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const LABEL_KEY = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?)?$/;

/** The kinds that the other checks know. */
const KINDS = [
  'Namespace',
  'Deployment',
  'Service',
  'PodDisruptionBudget',
  'HorizontalPodAutoscaler',
  'NetworkPolicy',
];
/**
 * The fields that the other checks know, of types where one more can turn all that they have found: a second selector, an
 * argument, a volume of the node's, a pod without the cluster's DNS.
 */
const JUDGED: Readonly<Record<string, string>> = {
  V1Container:
    'name image command env ports startupProbe readinessProbe livenessProbe lifecycle resources securityContext volumeMounts',
  V1ContainerPort: 'name containerPort',
  V1DeploymentSpec: 'replicas minReadySeconds strategy selector template',
  V1DeploymentStrategy: 'rollingUpdate',
  V1EnvVar: 'name value',
  V1HTTPGetAction: 'path port',
  V1IPBlock: 'cidr',
  V1LabelSelector: 'matchLabels',
  V1LifecycleHandler: 'sleep',
  V1NetworkPolicyPort: 'protocol port',
  V1ObjectMeta: 'name namespace labels annotations',
  // With minAvailable, a Deployment that is scaled down to it would keep its nodes from ever being drained.
  V1PodDisruptionBudgetSpec: 'maxUnavailable unhealthyPodEvictionPolicy selector',
  V1PodSecurityContext: 'runAsNonRoot runAsUser runAsGroup fsGroup seccompProfile',
  V1PodSpec:
    'automountServiceAccountToken enableServiceLinks terminationGracePeriodSeconds securityContext topologySpreadConstraints containers volumes',
  V1Probe: 'exec grpc httpGet tcpSocket initialDelaySeconds periodSeconds timeoutSeconds failureThreshold',
  V1SecretVolumeSource: 'secretName defaultMode',
  V1SecurityContext: 'allowPrivilegeEscalation readOnlyRootFilesystem capabilities',
  V1ServicePort: 'name port targetPort',
  V1ServiceSpec: 'selector ports clusterIP publishNotReadyAddresses',
  V1TopologySpreadConstraint: 'maxSkew topologyKey whenUnsatisfiable labelSelector matchLabelKeys',
  V1Volume: 'name secret',
  V1VolumeMount: 'name mountPath readOnly',
  V2HPAScalingRules: 'policies',
  V2MetricIdentifier: 'name',
};
const PROBES = ['exec', 'grpc', 'httpGet', 'tcpSocket'];

/** What is wrong with the form of one object; nothing else need be looked at before this is right. */
export async function formProblems({ where, object }: Resource): Promise<string[]> {
  const { apiVersion, kind, metadata } = object;
  // `autoscaling/v2` has V2HorizontalPodAutoscaler.
  const type = `${apiVersion.replace(/^.*\//, '').replace(/^v/, 'V')}${kind}`;
  if (MODELS[type] === undefined) return [`${where}: ${apiVersion} has no ${kind}`];
  if (!KINDS.includes(kind)) return [`${where}: the checks do not know what to make of it`];
  const problems = DNS_LABEL.test(metadata.name) ? [] : [`${metadata.name} is no name`];
  const containers = (object as IDeployment).spec?.template?.spec?.containers;
  if (kind === 'Deployment' && containers?.length !== 1) problems.push('not exactly one container');
  problems.push(...(await typeProblems(object)), ...fieldProblems(object, type, ''));
  return problems.map((problem) => `${where}: ${problem}`);
}

// Types, required fields, texts of a list, quantities. Unknown fields it lets pass.
async function typeProblems(object: Manifest): Promise<string[]> {
  const { apiVersion, kind } = object;
  const module: Readonly<Record<string, new (data: unknown) => { validate(): void }>> = await import(
    `kubernetes-models/${apiVersion}/${kind}`
  ).catch(() => ({}));
  const Checked = module[kind];
  if (Checked === undefined) return [`${apiVersion} ${kind} can't be checked`];
  try {
    new Checked(object).validate();
    return [];
  } catch (error) {
    const { errors = [] } = error as Errors;
    if (errors.length === 0) throw error;
    return errors.map(({ instancePath, message }) => `${dotted(instancePath)} ${message}`);
  }
}

// Fields that there are not, empty fields, and the texts that the API server has a pattern for.
function fieldProblems(value: unknown, type: string, path: string): string[] {
  if (value === null || value === undefined) return [`${path} is empty`];
  const [, item] = /^Array<(.+)>$/.exec(type) ?? [];
  if (item !== undefined)
    return Array.isArray(value)
      ? value.flatMap((each, at) => fieldProblems(each, item, `${path}.${at}`))
      : [];
  const [, values] = /^\{ \[key: string\]: (.+); \}$/.exec(type) ?? [];
  if (values !== undefined)
    return Object.entries(value).flatMap(([key, each]) => [
      ...fieldProblems(each, values, `${path}.${key}`),
      ...(/(labels|matchLabels)$/.test(path) ? labelProblems(path, key, String(each)) : []),
    ]);
  if (typeof value === 'number' && value <= 0 && !path.endsWith('.maxUnavailable'))
    return [`${path} is ${value}`];
  const model = MODELS[type];
  if (model === undefined || typeof value !== 'object') return [];
  const attributes = new Map(model.getAttributeTypeMap().map(({ baseName, type }) => [baseName, type]));
  const isUnclear = type === 'V1Probe' && PROBES.filter((key) => key in value).length !== 1;
  const unclear = isUnclear ? [`${path}: not exactly one of ${PROBES}`] : [];
  const inside = Object.entries(value).flatMap(([key, each]) => {
    const inner = path === '' ? key : `${path}.${key}`;
    const typeOfField = attributes.get(key);
    if (typeOfField === undefined) return [`${inner}: ${type} has no such field`];
    const isJudged = JUDGED[type]?.split(' ').includes(key) ?? true;
    if (!isJudged) return [`${inner}: the checks do not know what to make of it`];
    return fieldProblems(each, typeOfField, inner);
  });
  return [...unclear, ...inside];
}

function labelProblems(path: string, key: string, value: string): string[] {
  return LABEL_KEY.test(key) && LABEL_VALUE.test(value) ? [] : [`${path}.${key}: "${value}" is no label`];
}

function dotted(path: string): string {
  return path.slice(1).replaceAll('/', '.');
}
