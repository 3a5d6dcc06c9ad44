import { expect, test } from "bun:test";
import { postgresSchema } from "../../support/postgres.ts";
import { outputOf, ServerProcess, temporaryFolder } from "../../support/process.ts";
import { RedisServer } from "../../support/redis.ts";

/** A key, and a certificate for it that nobody else vouches for, in a folder. */
async function certificateIn(folder: string): Promise<{ key: string; certificate: string }> {
  const [key, certificate] = [`${folder}/key.pem`, `${folder}/certificate.pem`];
  const kind = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
  const of = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  await outputOf(["openssl", ...kind.split(" "), ...of, "-keyout", key, "-out", certificate]);
  return { key, certificate };
}

test("a node takes part by TLS where it trusts the certificate, and doctor says so where it does not", async () => {
  using folder = temporaryFolder();
  const pair = await certificateIn(folder.path);
  await using redis = await RedisServer.start(pair);
  await using database = await postgresSchema();
  const env = { PORCHLIGHT_DATABASE_URL: database.url, PORCHLIGHT_REDIS_URL: redis.tlsUrl };
  const doctor = outputOf([process.execPath, "server/cli.ts", "doctor"], { env });
  await expect(doctor).rejects.toThrow("cannot be used: self signed certificate");
  const trusting = { ...env, NODE_EXTRA_CA_CERTS: pair.certificate };
  await using node = await ServerProcess.start(["serve"], trusting);
  const { data } = (await (await fetch(`${node.url}/readyz`)).json()) as { data: object };
  expect(data).toEqual({ status: "ready", store: "ok", cluster: "joined" });
}, 60_000);
