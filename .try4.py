import sys; sys.path.insert(0,'.')
import time; t=time.time()
from gevent import monkey; monkey.patch_all()
from tests.live.servers import Server
s=Server("loadtests.endurance_app:app","worker",args=("-w","4"))
print("imported",time.time()-t)
with s:
    print("started",time.time()-t); time.sleep(1); t1=time.time()
print("stopped", time.time()-t1)
