// pure · the tasks of a stack, as a manager's API lists them → replicas, named by service and slot as Compose names them.
import { compareNames } from '../../kit/words.ts';
import { policyIn, type Replica } from '../replicas.ts';

const SHORT_ID = 12;

/** What is used of a task: https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Task */
export type Task = {
  ServiceID: string;
  /** Without one it waits for a node. */
  NodeID?: string;
  Slot?: number;
  DesiredState: string;
  CreatedAt: string;
  Status: {
    State: string;
    ContainerStatus?: { ContainerID?: string };
    PortStatus?: { Ports?: { TargetPort: number; PublishedPort: number }[] };
  };
  NetworksAttachments?: { Addresses?: string[] }[];
  Spec: { ContainerSpec: { Env?: string[] } };
};

/** A replica of a stack. Its address is that in the stack's network, which only containers in it reach. */
export type TaskReplica = Replica &
  Readonly<{
    /** The id of its node. */
    node: string;
    /** The node's ports on which its own are published, by its own. */
    ports: Readonly<Record<number, number>>;
  }>;

/**
 * The containers that are meant to run, by name, older ones first: while a task is being replaced its name may be there twice.
 * @param services the stack's services by id, without the stack's name
 */
export function toTaskReplicas(tasks: readonly Task[], services: ReadonlyMap<string, string>): TaskReplica[] {
  return tasks
    .toSorted((a, b) => a.CreatedAt.localeCompare(b.CreatedAt))
    .flatMap((task) => toReplica(task, services.get(task.ServiceID)) ?? [])
    .sort((a, b) => compareNames(a.name, b.name));
}

function toReplica(task: Task, service: string | undefined): TaskReplica | null {
  const containerId = task.Status.ContainerStatus?.ContainerID;
  if (service === undefined || !containerId || task.NodeID === undefined || task.DesiredState !== 'running')
    return null;
  const ports = (task.Status.PortStatus?.Ports ?? []).map((port) => [port.TargetPort, port.PublishedPort]);
  return {
    name: `${service}-${task.Slot}`,
    service,
    containerId,
    serverId: containerId.slice(0, SHORT_ID),
    policy: policyIn(task.Spec.ContainerSpec.Env ?? []),
    state: task.Status.State,
    address: task.NetworksAttachments?.[0]?.Addresses?.[0]?.replace(/\/\d+$/, '') ?? null,
    node: task.NodeID,
    ports: Object.fromEntries(ports),
  };
}
