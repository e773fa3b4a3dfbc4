import assert from "node:assert/strict";
import { until } from "../support/rig.ts";
import { connectedScene } from "./gateway_scene.ts";

const MODERATES = String(1 << 13);

Deno.test("Gateway tells who may manage messages as soon as that changes", async () => {
  const guilds = [{
    id: "4194304",
    name: "Huerto",
    owner_id: "5",
    member_count: 7,
    roles: [{ id: "77", permissions: MODERATES }],
  }];
  await using scene = await connectedScene({ guilds });
  await until(() => scene.told("guild").length === 1);
  const changes: [event: string, data: object, rights: [owner: string | undefined, roles: string[]]][] = [
    ["GUILD_ROLE_UPDATE", { guild_id: "4194304", role: { id: "77", permissions: "0" } }, ["5", []]],
    ["GUILD_ROLE_CREATE", { guild_id: "4194304", role: { id: "78", permissions: MODERATES } }, ["5", ["78"]]],
    ["GUILD_ROLE_DELETE", { guild_id: "4194304", role_id: "78" }, ["5", []]],
    ["GUILD_UPDATE", {
      id: "4194304",
      name: "Jardín",
      owner_id: "6",
      roles: [{ id: "79", permissions: MODERATES }],
    }, ["6", ["79"]]],
  ];
  for (const [event, data, [owner, roles]] of changes) {
    const before = scene.told("guild").length;
    scene.fake.dispatch(event, data);
    await until(() => scene.told("guild").length > before);
    const [guild] = scene.told("guild").at(-1) ?? [];
    assert.deepEqual([guild?.ownerId, guild?.moderatorRoleIds, guild?.memberCount], [owner, roles, 7], event);
  }
  assert.equal(scene.told("guild").at(-1)?.[0].name, "Jardín");
});
