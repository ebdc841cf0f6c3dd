// shell · whether a file or a folder is there.
// Must never tell one that may not be looked at from one that is missing: neither can be used.
import { access, constants } from 'node:fs/promises';

/**
 * Whether something is at `path`.
 * @param mode what this process has to be allowed to do with it, such as `constants.X_OK`; nothing in particular
 */
export async function isThere(path: string, mode: number = constants.F_OK): Promise<boolean> {
  return await access(path, mode).then(
    () => true,
    () => false,
  );
}
