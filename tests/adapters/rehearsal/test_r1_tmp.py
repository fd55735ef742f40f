from tests.adapters.sites import RELEASE, Site
from bluegreen.domain.migrations import MigrationPhase as P
import time, functools, inspect
from bluegreen.adapters.rehearsal import rehearse as R, clone, seeds, observing, live_queries, sizes, probes
from bluegreen.adapters.postgres import catalogue, scratch as S
T=[]
def wrap(mod,name):
    f=getattr(mod,name)
    @functools.wraps(f)
    async def g(*a,**k):
        t=time.perf_counter()
        try: return await f(*a,**k)
        finally: T.append((name, round(time.perf_counter()-t,3)))
    setattr(mod,name,g)
for m,n in [(seeds,'sow'),(R.Stages,'_prepare'),(sizes,'measure'),(live_queries,'collect'),(probes,'ask'),(observing.Player,"run"),(observing,'look'),(R,'find'),(S,'_create'),(S,'_drop'),(clone.Cloner,'schema'),(clone.Cloner,'_dumped'),(clone.Cloner,'settings'),(R.roles,"sweep"),(R.Rehearsals,"_clients"),(R.witness,"digests_of"),(R.witness,"shared"),(live_queries.LiveQueries,"prepare"),(live_queries.LiveQueries,"again"),(R.Rehearsals,'_task')]: wrap(m,n)
async def test_it(site: Site):
    await site.execute("create table users(id bigint generated always as identity primary key, email text); insert into users(email) values ('a'),('b')")
    await site.execute("".join(f"create table t{i}(id bigint generated always as identity primary key, a text not null default 'x', b int references t{max(i-1,0)}(id), c timestamptz, d numeric, e jsonb, f text unique, g int check (g>0), h uuid, i date); create index on t{i}(c);".replace('int references','bigint references') for i in range(100)))
    site.write("0001_a.expand.sql","ALTER TABLE users ADD COLUMN x int;\nALTER TABLE users ALTER COLUMN email SET NOT NULL;\nALTER TABLE users ALTER email TYPE varchar(30)")
    for _ in range(2):
        T.clear()
        t=time.perf_counter()
        r=await site.database().rehearse(RELEASE,(P.EXPAND,),"test")
        print(time.perf_counter()-t)
        print(*T,sep="\n")
