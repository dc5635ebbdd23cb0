/**
 * Words that people here are known to put into passwords, the most usual first: of everyday life, clubs, names, and of this product and its trade. The
 * estimate takes them as guessed early. The names of months are in the dictionary of the language.
 */
export const familiar =
  `senha password admin mudar teste bemvindo brasil healthmed health med medico medica clinica hospital consulta consultorio saude acesso sistema usuario
senhas minhasenha novasenha senhaforte trocar trocarsenha alterar mudarsenha seguranca seguro login entrar principal empresa trabalho internet
flamengo corinthians palmeiras saopaulo santos vasco gremio internacional cruzeiro atletico botafogo fluminense bahia sport mengao timao verdao
jesus jesuscristo deus deusefiel deuseamor deusnocomando familia brasileiro brasileira minhavida meuamor teamo amor amorzinho princesa gatinha gatinho
felicidade saudade liberdade esperanca estrela borboleta cachorro chocolate maria mariana gabriel gabriela rafael rafaela lucas juliana fernanda
fernando camila amanda bruna bruno carlos eduardo guilherme gustavo henrique leonardo matheus pedro ricardo rodrigo thiago vitoria beatriz larissa
leticia patricia natalia vanessa administrador doutor doutora paciente pacientes agenda agendamento atendimento enfermeira enfermeiro recepcao
secretaria cardiologia dermatologia ginecologia ortopedia pediatria psiquiatria oftalmologia neurologia welcome changeme letmein secret qwerty
doctor clinic patient appointment hospitals medicina receita exame laboratorio farmacia plantao`.split(/\s+/)
