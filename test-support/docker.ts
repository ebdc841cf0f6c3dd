// shell · a narrow view of the Docker Engine for the end-to-end tests: one Compose project's containers and networks.
// Must never act on a container that does not carry the project's label.
import Docker from 'dockerode';

// dockerode does not negotiate; every engine since 20.10 speaks this one.
const API_VERSION = 'v1.41';

const docker = new Docker({ version: API_VERSION });

export type Replica = {
  /** The container's full id. */
  containerId: string;
  /** What the server registers as: its container's host name. */
  serverId: string;
  name: string;
  service: string;
  container: Docker.Container;
};

/** The project's containers, by name; stopped ones too. */
export async function replicasOf(project: string, service?: string): Promise<Replica[]> {
  const label = [
    `com.docker.compose.project=${project}`,
    ...(service === undefined ? [] : [`com.docker.compose.service=${service}`]),
  ];
  const found = await docker.listContainers({ all: true, filters: JSON.stringify({ label }) });
  return found
    .map(({ Id, Names, Labels }) => ({
      containerId: Id,
      serverId: Id.slice(0, 12),
      name: (Names[0] ?? '').slice(1),
      service: Labels['com.docker.compose.service'] ?? '',
      container: docker.getContainer(Id),
    }))
    .sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
}

/** How many networks the project has. */
export async function countNetworks(project: string): Promise<number> {
  const filters = JSON.stringify({ label: [`com.docker.compose.project=${project}`] });
  return (await docker.listNetworks({ filters })).length;
}
