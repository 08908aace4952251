import sys; sys.path.insert(0,'.')
from gevent import monkey; monkey.patch_all()
import time
from loadtests.client import *
from tests.live.servers import Server
with Server("loadtests.endurance_app:app","worker",options={"connection_state_recovery":True,"ping_interval":1},args=("-w","2")) as s:
    for ka in (True,False):
      for t in (POLLING,UPGRADING,WEBSOCKET):
        seen=[]
        c=Client(s.url,transports=t,keep_alive=ka,watch=lambda *a:seen.append(a))
        c.on("question",lambda n:n+1)
        told=[]
        c.on("told",lambda p,*o:told.append(p))
        c.connect()
        for i in range(100):
            assert c.call("number",i,"x"*i)==[i,"x"*i]
        assert c.call("number",1,b"abc"*1000)==[1,b"abc"*1000]
        t0=time.time()
        print(c.call("ask",5), c.call("worker"), c.call("inside"), c.engine.transport)
        c.call("tell",1,1)
        time.sleep(2.3)
        sid=c.sid
        c.drop(); time.sleep(.1); assert not c.connected
        assert c.wait_connected(); print(c.recovered, sid==c.sid)
        c.close()
        print(c.counts,told)
    s.stop.__self__
