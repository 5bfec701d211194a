// The oldest client for node, of Joyent. It takes the Location of an upload for a path.

import { operationsOf, place } from "./joyent.mjs";

export { place };
export const operations = operationsOf("docker-registry-client");
