// Fastify and ioredis, cache aside by hand: what a Node service of the same purpose would be.
import Fastify from "fastify";
import Redis from "ioredis";
import pg from "pg";

const SHOWN = `
  id::text, first_name AS "firstName", last_name AS "lastName", email, timezone,
  make_date(birthday_year, birthday_month, birthday_day)::text AS "birthdayDate",
  anniversary_on::text AS "anniversaryDate", leap_day_rule AS "leapDayRule", version::int,
  to_char(created_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "createdAt",
  to_char(updated_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "updatedAt"
`;
const LIFETIME_S = 3600;
const database = new pg.Pool({
  connectionString: process.env.DATABASE_URL,
  max: 10,
  options: "-c timezone=UTC",
});
const cache = new Redis(process.env.REDIS_URL, { enableAutoPipelining: true, commandTimeout: 500 });
const app = Fastify();

app.get("/users/:person", async (request, reply) => {
  const key = `user:${request.params.person}`;
  reply.type("application/json");
  const cached = await cache.get(key);
  if (cached !== null) return cached;
  const { rows } = await database.query({
    name: "show",
    text: `SELECT ${SHOWN} FROM users WHERE id = $1`,
    values: [request.params.person],
  });
  if (rows.length === 0) return reply.code(404).send("null");
  const body = JSON.stringify(rows[0]);
  await cache.set(key, body, "EX", LIFETIME_S);
  return body;
});

app.get("/health/ready", async () => ({}));

await app.listen({ port: Number(process.env.BIRTHDAYS_PORT), host: "127.0.0.1" });
